"""The manual says what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from lobule.cli.app import app
from lobule.config import Config
from lobule.data.manifest import COLUMNS
from lobule.features.backbones import BACKBONES

_ROOT = Path(__file__).parents[1]
_MANUAL = (_ROOT / "docs" / "manual.md").read_text(encoding="utf-8")
_COMMAND_LINE = re.compile(r"(?:^|[|`] *|\n {4})lobule ((?:data )?[a-z]+)(?=[ `\n])")


def _commands(group: Any, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= _commands(command, f"{name} ")
        else:
            found[prefix + name] = command
    return found


_COMMANDS = _commands(typer.main.get_command(app))


def _settings() -> dict[str, Any]:
    groups = {name: field for name, field in Config.model_fields.items() if hasattr(field.annotation, "model_fields")}
    nested = {
        f"{name}.{key}": field
        for name, group in groups.items()
        for key, field in getattr(group.annotation, "model_fields", {}).items()
    }
    return {**{name: field for name, field in Config.model_fields.items() if name not in groups}, **nested}


def test_every_command_is_in_the_manual_and_the_reverse() -> None:
    assert set(_COMMAND_LINE.findall(_MANUAL)) - {"data"} == set(_COMMANDS)


def test_every_option_that_the_manual_shows_exists() -> None:
    for line in re.findall(r"\| `lobule ([^`]+)`", _MANUAL):
        name = next(name for name in sorted(_COMMANDS, key=len, reverse=True) if line.startswith(name))
        known = {option for parameter in _COMMANDS[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= known, line


def test_every_setting_is_in_the_manual_with_its_default_and_meaning() -> None:
    rows = re.findall(r"\| `([a-z_.0-9]+)` \| (.+?) \| (.+) \|\n", _MANUAL.split("## Settings")[1].split("### ")[0])
    stated = {name: (default.strip("`"), meaning) for name, default, meaning in rows}
    assert {name: meaning for name, (_, meaning) in stated.items()} == {
        name: field.description for name, field in _settings().items()
    }
    for name, field in _settings().items():
        default = field.get_default(call_default_factory=True)
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        assert stated[name][0] == (shown if default not in (None, {}, ()) else "–"), name


def test_every_backbone_and_manifest_column_is_in_the_manual() -> None:
    assert [name for name in BACKBONES if f"`{name}`" not in _MANUAL] == []
    assert ", ".join(COLUMNS) in _MANUAL


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/manual.md",
        "docs/performance.md",
        "docs/service.md",
        "docs/starter.md",
    ],
)
def test_links_between_documents_lead_somewhere(name: str) -> None:
    document = _ROOT / name
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_rooms_in_the_architecture_are_the_rooms_there_are() -> None:
    text = (_ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("## Decisions")[0]
    source = _ROOT / "src" / "lobule"
    rooms = {path.name for path in source.iterdir() if path.is_dir() and path.name != "__pycache__"}
    modules = {path.stem for path in source.glob("*.py") if not path.stem.startswith("__")}
    assert (
        set(re.findall(r"`([a-z_]+)/`", table))
        - {"bundle", "checklists", "decision", "docs", "page", "phantom", "sections", "templates"}
        == rooms
    )
    assert modules <= set(re.findall(r"`([a-z_]+)`", table))
