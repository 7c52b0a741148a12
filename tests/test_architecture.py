"""The rooms in their order: an import may only point upwards, and running a model needs no training framework."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lobule

_SOURCE = Path(lobule.__file__).parent
_ORDER = (
    ("errors", "taxonomy", "view_names", "progress"),
    ("storage",),
    ("provenance", "threshold_rule", "line_journal"),
    ("config",),
    ("data",),
    ("evaluation",),
    ("features",),
    ("report",),
    ("model",),
    ("inference",),
    ("controls",),
    ("export",),
    ("run_folder",),
    ("assessment",),
    ("pipeline", "rescore"),
    ("starter", "sweep"),
    ("tracking",),
    ("demo", "doctor"),
    ("scale",),
    ("server",),
    ("bench",),
    ("cli",),
)
_RANK = {room: rank for rank, rooms in enumerate(_ORDER) for room in rooms}
_WITHOUT_TRAINING = ("data", "evaluation", "report", "inference", "scale", "server")
_FRAMEWORKS = ("tensorflow", "keras", "jax", "torch")


def _modules() -> list[Path]:
    return sorted(path for path in _SOURCE.rglob("*.py") if path.parent != _SOURCE or path.stem[:2] != "__")


def _room(path: Path) -> str:
    return path.relative_to(_SOURCE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)


def test_every_room_has_its_place() -> None:
    assert {_room(path) for path in _modules()} == set(_RANK)


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(_SOURCE)))
def test_imports_point_upwards(path: Path) -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for module, line in _imports(path)
        if module.startswith("lobule.") and (room := module.split(".")[1]) in _RANK and _RANK[room] > _RANK[_room(path)]
    ]
    assert not wrong


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(_SOURCE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert text.count("\n") <= 400
    for function in functions:
        documentation = len((ast.get_docstring(function) or "").splitlines())
        assert (function.end_lineno or 0) - function.lineno - documentation <= 60, function.name


def _imported_by(modules: list[str]) -> set[str]:
    code = f"import sys\nimport {', '.join(modules)}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_running_a_model_imports_no_training_framework() -> None:
    modules = [
        ".".join(["lobule", *path.relative_to(_SOURCE).with_suffix("").parts]).removesuffix(".__init__")
        for path in _modules()
        if _room(path) in _WITHOUT_TRAINING
    ]
    assert not _imported_by(modules) & set(_FRAMEWORKS)


def test_the_command_line_starts_light() -> None:
    imported = _imported_by(["lobule.cli.app"])
    assert not imported & {*_FRAMEWORKS, "openvino", "matplotlib", "sklearn", "scipy", "pandas"}


def test_only_the_command_line_prints() -> None:
    printing = [
        str(path)
        for path in _modules()
        if _room(path) != "cli"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing
