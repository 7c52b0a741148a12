"""Scoring again gives what the run gave, and the same report for predictions from anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lobule.errors import ConfigError
from lobule.evaluation.predictions import Predictions
from lobule.pipeline import Run
from lobule.rescore import rescore


def test_a_run_scores_the_same_again(finished: Run, tmp_path: Path) -> None:
    again = rescore(finished.folder, tmp_path / "again")
    assert again.metrics == finished.metrics
    for name in ("metrics.json", "predictions.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (finished.folder / name).read_bytes()
    assert {file.name for file in again.files} == {"predictions.csv", "metrics.json", "report.html"}


def test_a_sweep_scores_the_same_again_and_keeps_what_it_says_of_its_search(swept: Run, tmp_path: Path) -> None:
    again = rescore(swept.folder, tmp_path / "again")
    assert again.metrics.document["search"]["n_configurations"] > 1
    assert again.metrics == swept.metrics


def test_another_threshold_changes_model_and_rivals_alike(finished: Run, tmp_path: Path) -> None:
    scored = rescore(finished.folder, tmp_path, threshold="0.01", bootstrap=0).metrics.document
    assert scored["binary"]["folds"]["image"]["recall"]["value"] == 1.0
    assert scored["controls"]["plain_recipe"]["binary"]["threshold"]["value"] == 0.01
    assert set(scored["controls"]) == set(finished.metrics.document["controls"])


def test_predictions_alone_have_a_report_that_says_so(finished: Run, tmp_path: Path) -> None:
    frame = Predictions.read(finished.folder / "predictions.csv").select("folds").frame
    theirs = tmp_path / "theirs.csv"
    frame[["image_id", "case_id", "label", "prob_malignant"]].to_csv(theirs, index=False, sep=";")
    scored = rescore(theirs, tmp_path / "out", checklists=("claim",))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "These predictions were made elsewhere" in page
    assert (tmp_path / "out" / "checklist_claim.md").is_file()
    document = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert document["subtype"] is None
    assert document["controls"] == {}
    assert document["binary"]["predict"]["image"]["calibration"]["after"] is None
    assert scored.metrics.value("binary", "auroc", protocol="predict") == pytest.approx(
        scored.metrics.document["binary"]["predict"]["image"]["auroc"]["value"]
    )


def test_a_run_folder_is_no_place_for_other_scores(finished: Run) -> None:
    with pytest.raises(ConfigError, match="is a run folder"):
        rescore(finished.folder, finished.folder)
