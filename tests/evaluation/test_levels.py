from __future__ import annotations

import numpy as np
import pytest

from lobule.errors import DataError
from lobule.evaluation.levels import images_of, units_of
from lobule.evaluation.predictions import Predictions, assemble_predictions
from tests.evaluation.conftest import make_predictions


def test_images_are_sorted_and_numbered_by_image_id(handmade: Predictions) -> None:
    images = images_of(handmade, "binary", "folds")
    assert images.logits[:, 0].tolist() == [0.5, -1.0, 3.0, 1.0, -2.0]
    assert images.case.tolist() == [0, 0, 0, 1, 1]
    assert images.patient.tolist() == [-1, 0, 0, 1, 1]
    assert images.true.tolist() == [1, 1, 1, 0, 0]
    assert images.magnification.tolist() == ["40", "unknown", "400", "100", "40"]


def test_a_case_has_the_mean_log_odds_of_its_images(handmade: Predictions) -> None:
    units = units_of(images_of(handmade, "binary", "folds"), "case", threshold=0.5)
    assert units.true.tolist() == [1, 0]
    np.testing.assert_allclose(units.score, [2.5 / 3, -0.5])
    np.testing.assert_allclose(units.probability, 1 / (1 + np.exp([-2.5 / 3, 0.5])), rtol=1e-7)
    assert units.predicted.tolist() == [1, 0]
    assert units.images.tolist() == [3, 2]


def test_cases_of_cooled_logits_have_cooled_probabilities() -> None:
    plain = make_predictions(images=40, cases=16)
    cooled = assemble_predictions(
        plain.frame,
        protocol="folds",
        fold=np.zeros(40, np.int64),
        logits_binary=plain.logits("binary"),
        logits_subtype=None,
        temperature={"binary": 2.0},
    )
    units = units_of(images_of(cooled, "binary", "folds"), "case", threshold=0.5)
    np.testing.assert_allclose(units.probability, 1 / (1 + np.exp(-units.score / 2)), rtol=1e-6)


def test_a_subtype_unit_is_a_case_and_subtype(handmade: Predictions) -> None:
    images = images_of(handmade, "subtype", "folds")
    assert len(images) == 4
    units = units_of(images, "case", threshold=0.5)
    assert sorted(zip(units.case.tolist(), units.true.tolist(), units.predicted.tolist(), strict=True)) == [
        (0, 4, 4),
        (0, 5, 4),
        (1, 0, 0),
    ]
    assert (units.n_cases(units.malignant), units.n_images(units.malignant)) == (1, 2)


def test_the_threshold_decides(handmade: Predictions) -> None:
    images = images_of(handmade, "binary", "folds")
    assert units_of(images, "image", threshold=0.9).predicted.tolist() == [0, 0, 1, 0, 0]
    assert units_of(images, "case", threshold=0.1).predicted.tolist() == [1, 1]


def test_patients_share_their_weight(handmade: Predictions) -> None:
    images = images_of(handmade, "binary", "folds")
    assert units_of(images, "image", threshold=0.5).share.tolist() == [0, 0.5, 0.5, 0.5, 0.5]
    assert units_of(images, "case", threshold=0.5).share.tolist() == [0, 0]


def test_images_without_truth_or_prediction_are_left_out(handmade: Predictions) -> None:
    frame = handmade.frame.copy()
    frame.loc[0, ["label", "subtype"]] = ""
    frame.loc[1, ["logit_malignant", "prob_malignant"]] = np.nan
    assert len(images_of(Predictions(frame), "binary", "folds")) == 3
    assert len(images_of(Predictions(frame), "binary", "holdout")) == 0


def test_a_scored_image_needs_a_case(handmade: Predictions) -> None:
    frame = handmade.frame.copy()
    frame.loc[1, "case_id"] = ""
    with pytest.raises(DataError, match=r"case_id is empty for 1 labelled images, e\.g\. 'd'"):
        images_of(Predictions(frame), "binary", "folds")
