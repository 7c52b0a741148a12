from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lobule.evaluation.predictions import Predictions
from lobule.pipeline import Run
from tests.cli.conftest import Lobule


@pytest.fixture
def rival(finished: Run, tmp_path: Path) -> Path:
    """Return predictions of the same images by something that guesses."""
    frame = Predictions.read(finished.folder / "predictions.csv").frame
    logits = np.random.default_rng(0).normal(size=len(frame))
    guessed = frame.assign(logit_malignant=logits, prob_malignant=1 / (1 + np.exp(-logits)))
    Predictions(guessed).write(tmp_path / "rival.csv")
    return tmp_path / "rival.csv"


def test_two_models_are_shown_side_by_side(lobule: Lobule, finished: Run, rival: Path, tmp_path: Path) -> None:
    out = tmp_path / "comparison.json"
    shown = lobule("compare", finished.folder, rival, "--bootstrap", 50, "--out", out)
    assert shown.code == 0
    assert f"A  {finished.folder}" in shown.out
    assert "A and B on the same 64 images of 16 cases (folds)" in shown.out
    assert "binary, by image: auroc" in shown.out
    assert "patient recognition rate" in shown.out
    assert "comparisons were made" in shown.out
    assert "compare: 4/4" in shown.err
    assert "research use only" in shown.err
    written = json.loads(out.read_text())
    assert written["protocol"] == "folds"
    assert written["n_comparisons"] > 10


def test_json_is_all_that_stands_on_stdout(lobule: Lobule, finished: Run, rival: Path) -> None:
    shown = lobule("compare", finished.folder, rival, "--bootstrap", 0, "--protocol", "holdout", "--json")
    assert shown.code == 0
    assert shown.json["protocol"] == "holdout"
    assert shown.json["names"] == [str(finished.folder), str(rival)]
    assert {row["verdict"] for row in shown.json["contrasts"]} == {"not compared"}


def test_what_a_reader_must_know_is_said(lobule: Lobule, finished: Run, tmp_path: Path) -> None:
    frame = Predictions.read(finished.folder / "predictions.csv").frame
    fewer = frame[frame["protocol"] == "folds"].iloc[5:]
    Predictions(fewer).write(tmp_path / "fewer.csv")
    shown = lobule("compare", finished.folder, tmp_path / "fewer.csv", "--bootstrap", 20)
    assert "left out are 5 images only in A and 0 only in B" in shown.err
    assert "Both hold the same predictions" in shown.err
    other = fewer.assign(fold=np.arange(len(fewer)) % 3, logit_malignant=-fewer["logit_malignant"])
    Predictions(other).write(tmp_path / "other.csv")
    shown = lobule("compare", finished.folder, tmp_path / "other.csv", "--bootstrap", 20)
    assert "different divisions" in shown.err


def test_what_cannot_be_compared_is_exit_1(lobule: Lobule, finished: Run, rival: Path, tmp_path: Path) -> None:
    same = lobule("compare", finished.folder, finished.folder / ".")
    assert (same.code, same.out) == (1, "")
    assert "RUN_A and RUN_B are the same" in same.err
    missing = lobule("compare", finished.folder, tmp_path / "nowhere")
    assert missing.code == 1
    assert "nowhere: does not exist; name a run folder or a predictions.csv" in missing.err
    (tmp_path / "empty").mkdir()
    empty = lobule("compare", finished.folder, tmp_path / "empty")
    assert empty.code == 1
    assert "has no predictions.csv" in empty.err
    folder = lobule("compare", finished.folder, rival, "--out", tmp_path)
    assert folder.code == 1
    assert "expected a file such as" in folder.err
    assert "received a folder" in folder.err
    frame = Predictions.read(rival).frame
    Predictions(frame.assign(image_id="x" + frame["image_id"])).write(tmp_path / "foreign.csv")
    foreign = lobule("compare", finished.folder, tmp_path / "foreign.csv")
    assert foreign.code == 1
    assert "different data sets" in foreign.err


def test_a_copy_of_a_run_is_told_to_be_the_same(lobule: Lobule, finished: Run, tmp_path: Path) -> None:
    shutil.copytree(finished.folder, tmp_path / "copy")
    shown = lobule("compare", finished.folder, tmp_path / "copy", "--bootstrap", 20)
    assert shown.code == 0
    assert "Both hold the same predictions" in shown.err
    assert "better" not in shown.out.replace("no difference shown", "")
