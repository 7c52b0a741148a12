from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lobule.evaluation.columns import PREDICTION_COLUMNS
from lobule.pipeline import Run
from tests.cli.conftest import Lobule
from tests.runs import paint


@pytest.fixture
def fifty(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for number in range(49):
        paint(folder / f"{number:02d}.png", number)
    (folder / "corrupt.png").write_bytes((folder / "00.png").read_bytes()[:150])
    (folder / "notes.txt").write_text("no image by its name")
    return folder


def test_of_fifty_images_with_a_corrupt_one_49_are_predicted(
    lobule: Lobule, bundle: Path, fifty: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "predictions.csv"
    shown = lobule("predict", fifty, "--model", bundle, "--out", out)
    assert shown.code == 2
    assert shown.out == f"49 images predicted: {out}\n"
    assert "1 files could not be used" in shown.err
    assert "predict: 50/50" in shown.err
    frame = pd.read_csv(out)
    assert tuple(frame.columns) == PREDICTION_COLUMNS
    assert len(frame) == 49
    failures = pd.read_csv(out.with_name("failures.csv"))
    assert [Path(path).name for path in failures["path"]] == ["corrupt.png"]
    before = out.read_bytes()
    again = lobule("predict", fifty, "--model", bundle, "--out", out, "--resume", "--json")
    assert again.code == 2
    assert (again.json["n_predicted"], again.json["n_resumed"], again.json["n_failed"]) == (49, 49, 1)
    assert out.read_bytes() == before


def test_heat_maps_are_drawn_for_both_tasks(lobule: Lobule, bundle: Path, tmp_path: Path) -> None:
    paint(tmp_path / "one.png", 1)
    shown = lobule(
        "predict", tmp_path / "one.png", "--model", bundle, "--out", tmp_path / "p.csv", "--heatmaps", tmp_path / "maps"
    )
    assert shown.code == 0
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["one_binary.png", "one_subtype.png"]


def test_a_run_folder_is_a_model(lobule: Lobule, finished: Run, tmp_path: Path) -> None:
    paint(tmp_path / "one.png", 1)
    shown = lobule("predict", tmp_path / "one.png", "--model", finished.folder, "--out", tmp_path / "p.csv", "--json")
    assert shown.code == 0
    assert shown.json["n_predicted"] == 1


def test_a_model_that_was_changed_is_exit_4(lobule: Lobule, finished: Run, bundle: Path, tmp_path: Path) -> None:
    changed = tmp_path / "model"
    changed.mkdir()
    for file in bundle.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    with (changed / "backbone.bin").open("ab") as stream:
        stream.write(b"\0")
    paint(tmp_path / "one.png", 1)
    shown = lobule("predict", tmp_path / "one.png", "--model", changed, "--out", tmp_path / "p.csv")
    assert (shown.code, shown.out) == (4, "")
    assert "backbone.bin" in shown.err


def test_a_folder_without_images_is_exit_1(lobule: Lobule, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shown = lobule("predict", tmp_path / "empty", "--model", bundle, "--out", tmp_path / "p.csv")
    assert (shown.code, shown.out) == (1, "")
    assert str(tmp_path / "empty") in shown.err


def test_prediction_imports_no_training_framework(bundle: Path, tmp_path: Path) -> None:
    paint(tmp_path / "one.png", 1)
    command = [sys.executable, "-X", "importtime", "-m", "lobule", "predict", str(tmp_path / "one.png")]
    command += ["--model", str(bundle), "--out", str(tmp_path / "p.csv"), "--heatmaps", str(tmp_path / "maps")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    imported = {
        line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "import time:" in line
    }
    assert {"numpy", "openvino"} <= imported
    assert not imported & {"tensorflow", "keras", "jax", "torch", "sklearn"}


def test_one_image_is_answered_without_heavy_imports(bundle: Path, tmp_path: Path) -> None:
    paint(tmp_path / "one.png", 1)
    command = [sys.executable, "-X", "importtime", "-m", "lobule", "predict", str(tmp_path / "one.png")]
    command += ["--model", str(bundle), "--out", str(tmp_path / "p.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "import time:" in line}
    assert {"numpy", "openvino", "lobule.inference.batch"} <= imported
    heavy = {"pandas", "scipy", "sklearn", "matplotlib", "rich.table", "yaml", "ssl", "lobule.config"}
    heavy |= {"openvino.tools.ovc.convert", "openvino_telemetry", "PIL.PdfImagePlugin", "tensorflow", "keras"}
    assert not imported & heavy
