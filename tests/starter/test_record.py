"""What the card and the manual state of the starter model is what its recorded predictions score."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lobule.assessment import score
from lobule.config import load_config
from lobule.evaluation.metrics import Metrics
from lobule.evaluation.predictions import Predictions
from lobule.report.numbers import number_of
from lobule.starter import starter_bundle
from lobule.starter.record import check
from lobule.starter.table import numbers_table

_RECORD = Path(__file__).parent / "record"
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stated() -> Metrics:
    return Metrics.read(_RECORD / "metrics.json")


@pytest.mark.slow
def test_recorded_predictions_score_what_is_stated(stated: Metrics) -> None:
    config = load_config(_RECORD / "config.yaml")
    predictions = Predictions.read(_RECORD / "predictions.csv")
    colour = Predictions.read(_RECORD / "controls" / "colour_only.csv")
    again = score(predictions, {"colour_only": colour}, config=config)
    assert check(again) == []
    for task in ("binary", "subtype"):
        for level in ("image", "case"):
            assert again.document[task]["folds"][level] == stated.document[task]["folds"][level]
    assert numbers_table(again.document) == numbers_table(stated.document)


def test_the_card_states_the_recorded_numbers_and_colour_beside_them(stated: Metrics) -> None:
    card = (starter_bundle() / "README.md").read_text(encoding="utf-8")
    for level in ("image", "case"):
        assert str(number_of(stated.document["binary"]["folds"][level], "auroc")) in card
    colour = stated.document["controls"]["colour_only"]["binary"]["folds"]["image"]
    assert f"{colour['auroc']['value']:.3f}" in card
    assert "51" not in card or "39 malignant cases" in card


def test_the_manual_states_the_recorded_numbers(stated: Metrics) -> None:
    page = (_ROOT / "docs" / "starter.md").read_text(encoding="utf-8")
    assert numbers_table(stated.document) in page


def test_no_case_is_in_two_folds_of_the_record() -> None:
    frame = pd.read_csv(_RECORD / "predictions.csv")
    folds = frame[frame["protocol"] == "folds"]
    assert (folds.groupby("case_id")["fold"].nunique() == 1).all()
    assert folds["image_id"].is_unique
    assert (len(folds), folds["case_id"].nunique()) == (775, 51)


def test_few_breast_images_are_refused_out_of_fold() -> None:
    frame = pd.read_csv(_RECORD / "predictions.csv")
    folds = frame[frame["protocol"] == "folds"]
    assert (folds["novelty"] > 1).mean() <= 0.02
