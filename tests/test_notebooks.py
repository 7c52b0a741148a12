"""The notebooks run from top to bottom, carry no output, and say the numbers of the run."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from lobule.pipeline import Run

_ROOT = Path(__file__).parents[1]
_NOTEBOOKS = sorted((_ROOT / "notebooks").glob("*.ipynb"))
_COLAB, _PAPER = (_ROOT / "notebooks" / name for name in ("lobule_colab.ipynb", "paper_figures.ipynb"))
_LONGEST_CELL = 45


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call,unused-ignore]


def _cell(notebook: Any, tag: str) -> Any:
    return next(cell for cell in notebook.cells if tag in cell.metadata.get("tags", []))


def _code(source: str) -> Any:
    return nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call,unused-ignore]


def _executed(path: Path, folder: Path, parameters: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a notebook in a folder, with other values after its parameters; an error in a cell is raised here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the notebook machinery about itself
        from nbclient import NotebookClient

        monkeypatch.setenv("PYTHONPATH", f"{_ROOT / 'src'}:{_ROOT}")
        monkeypatch.setenv("IPYTHONDIR", str(folder / ".ipython"))
        monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        notebook = _read(path)
        place = notebook.cells.index(_cell(notebook, "parameters")) + 1
        notebook.cells.insert(place, _code(parameters))
        resources = {"metadata": {"path": str(folder)}}
        return NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()


def _printed(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


def _n_pictures(notebook: Any) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_there_are_two_notebooks() -> None:
    assert _NOTEBOOKS == [_COLAB, _PAPER]


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_and_no_account_is_committed(path: Path) -> None:
    notebook = _read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    assert not re.search(r"github\.com/\w|colab\.research\.google\.com/github/\w|/home/|/work/|/root/", text)


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_every_part_is_explained(path: Path) -> None:
    cells = _read(path).cells
    assert all(cell.source.count("\n") < _LONGEST_CELL for cell in cells)
    assert cells[0].cell_type == "markdown"
    assert "Not for diagnosis" in cells[0].source
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert "cccc" not in kinds


def test_the_colab_badge_and_the_missions_folder_are_there() -> None:
    notebook = _read(_COLAB)
    assert "https://colab.research.google.com/github/)" in notebook.cells[0].source
    values: dict[str, Any] = {}
    exec(_cell(notebook, "parameters").source, values)
    assert values["SOURCE"] == "https://drive.google.com/drive/folders/1I2EFBgeyb9Lr1sdBtAZST1reEjCpkX3k"
    assert (values["DATA"], values["BACKBONE"], values["WEIGHTS"]) == ("", "vgg16", "imagenet")


@pytest.mark.parametrize(
    ("has_tensorflow", "source", "what"),
    [
        (True, "", "{root}[data]"),
        (False, "", "{root}[train,data]"),
        (True, "lobule-1.whl", "lobule-1.whl[data]"),
        (True, "git+https://example.org/lobule", "lobule[data] @ git+https://example.org/lobule"),
    ],
)
def test_installing_never_replaces_the_tensorflow_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_tensorflow: bool, source: str, what: str
) -> None:
    commands: list[list[str]] = []
    held: list[str] = []

    def run(command: list[str], *, check: bool) -> None:
        assert check
        commands.append(command)
        held.append((tmp_path / "lobule" / "here" / "lobule-constraints.txt").read_text())

    def find(name: str) -> object:
        return object() if name == "tensorflow" and has_tensorflow else None

    (tmp_path / "lobule" / "src" / "lobule").mkdir(parents=True)
    (tmp_path / "lobule" / "here").mkdir()
    monkeypatch.chdir(tmp_path / "lobule" / "here")
    monkeypatch.setattr("importlib.util.find_spec", find)
    monkeypatch.setattr("importlib.metadata.version", {"tensorflow": "2.19.0", "numpy": "2.0.2"}.get)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(importlib, "invalidate_caches", lambda: None)
    exec(_cell(_read(_COLAB), "install").source, {"LOBULE": source})
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert what.format(root=tmp_path / "lobule") in command
    assert ("keras>=3.13.1" in command) == has_tensorflow
    assert held == ["tensorflow==2.19.0\nnumpy==2.0.2\n"]


@pytest.mark.slow
@pytest.mark.keras
def test_the_colab_notebook_runs_from_top_to_bottom_on_synthetic_tissue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = """
SOURCE, BACKBONE = "", "tiny"
SETTINGS = ["features.engine=openvino", "data.folds=2", "head.hidden=8", "head.max_epochs=3", "report.bootstrap=20"]
SYNTHETIC = {"cases": 16, "images_per_case": 4, "size": (92, 140)}
from tests.tiny_backbone import install_tiny_graph, tiny_backbone
known = tiny_backbone()
known.__enter__()
install_tiny_graph()
"""
    done = _executed(_COLAB, tmp_path, quick, monkeypatch)
    said = _printed(done)
    assert "NO DATA: synthetic tissue is drawn" in said
    assert "64 images of 16 cases" in said
    assert "colour_only" in said
    # learning curves (2), confusion (2), curves, reliability, heat maps
    assert _n_pictures(done) == 7
    results = tmp_path / "lobule-work" / "lobule-results"
    assert (results / "model" / "SHA256SUMS").is_file()
    assert (results / "report.html").is_file()
    assert "Saved, and read again, in lobule-work/lobule-results" in said


@pytest.mark.slow
def test_the_paper_notebook_writes_the_runs_own_numbers(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _executed(_PAPER, tmp_path, f"RUN = {str(finished.folder)!r}", monkeypatch)
    assert _n_pictures(done) == 3
    out = tmp_path / "paper"
    names = {f"figure{name}.{kind}" for name in ("1_roc", "2_magnification", "3_confusion") for kind in ("pdf", "png")}
    assert {path.name for path in out.iterdir()} == {*names, "table.tex", "table.md"}
    assert all((out / name).stat().st_size > 1000 for name in names)

    blocks = finished.metrics.document["binary"]["folds"]
    auroc = blocks["image"]["auroc"]
    row = f"{auroc['value']:.3f} ({auroc['low']:.3f} to {auroc['high']:.3f})"
    table = (out / "table.md").read_text(encoding="utf-8")
    assert f"| Benign / malignant | image | AUROC | {row} | " in table
    assert f"| {auroc['n_images']} / {auroc['n_cases']} |" in table
    assert f"Benign / malignant & image & AUROC & {row} & " in (out / "table.tex").read_text(encoding="utf-8")
    assert r"Value (95 \% CI)" in (out / "table.tex").read_text(encoding="utf-8")

    # The curves that the notebook draws have the areas that it prints.
    frame = pd.read_csv(finished.folder / "predictions.csv").query("protocol == 'folds'")
    cases = frame.groupby(["label", "case_id"], as_index=False)["logit_malignant"].mean()
    for rows, level in ((frame, "image"), (cases, "case")):
        area = roc_auc_score(rows["label"] == "malignant", rows["logit_malignant"])
        assert area == pytest.approx(blocks[level]["auroc"]["value"])


@pytest.mark.slow
def test_the_paper_notebook_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError, match=r"holds no metrics\.json; name the folder"):
        _executed(_PAPER, tmp_path, "RUN = 'nowhere'", monkeypatch)
