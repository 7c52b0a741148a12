from __future__ import annotations

import json
from pathlib import Path

import pytest

from lobule.pipeline import Run
from tests.cli.conftest import Lobule


def test_a_run_scores_to_the_same_metrics_again(lobule: Lobule, finished: Run, tmp_path: Path) -> None:
    shown = lobule("evaluate", finished.folder, "--out", tmp_path / "again")
    assert shown.code == 0
    written = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert written == finished.metrics.document
    predictions = "predictions.csv"
    assert (tmp_path / "again" / predictions).read_bytes() == (finished.folder / predictions).read_bytes()
    assert "binary, by image: auroc" in shown.out
    assert "Out of fold" in shown.out
    assert "better by" in shown.out
    assert "permuted labels" in shown.out
    assert (tmp_path / "again" / "report.html").is_file()
    assert "evaluate: 6/6" in shown.err


def test_a_file_of_predictions_and_another_threshold(lobule: Lobule, finished: Run, tmp_path: Path) -> None:
    source = finished.folder / "predictions.csv"
    shown = lobule("evaluate", source, "--out", tmp_path, "--threshold", "0.01", "--bootstrap", 0, "--json")
    assert shown.code == 0
    assert shown.json["binary"]["threshold"]["value"] == 0.01
    assert shown.json["binary"]["folds"]["image"]["recall"]["value"] == 1.0


@pytest.mark.parametrize("threshold", ["0", "1", "-3", "best"])
def test_a_threshold_that_is_no_probability_is_named(
    lobule: Lobule, finished: Run, tmp_path: Path, threshold: str
) -> None:
    shown = lobule("evaluate", finished.folder, "--out", tmp_path / "scores", "--threshold", threshold)
    assert shown.code == 1
    assert "decision.threshold: allowed is balanced_accuracy" in shown.err
    assert not (tmp_path / "scores").exists()


def test_a_run_keeps_its_own_results(lobule: Lobule, finished: Run) -> None:
    shown = lobule("evaluate", finished.folder, "--out", finished.folder)
    assert shown.code == 1
    assert "is a run folder" in shown.err
    assert json.loads((finished.folder / "metrics.json").read_text()) == finished.metrics.document


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\x00"])
def test_a_file_that_holds_no_predictions_is_named(lobule: Lobule, tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.csv").write_text(content)
    shown = lobule("evaluate", tmp_path / "mine.csv", "--out", tmp_path / "scores")
    assert (shown.code, shown.out) == (1, "")
    assert "mine.csv" in shown.err
    assert "Unexpected" not in shown.err
