from __future__ import annotations

import numpy as np
import pytest

from lobule.errors import DataError
from lobule.evaluation.decision.operating import Decisions, undecided
from lobule.evaluation.levels import LEVELS, images_of, units_of
from lobule.evaluation.predictions import Predictions
from tests.evaluation.conftest import make_predictions


def test_images_are_sorted_and_numbered_by_image_id(handmade: Predictions) -> None:
    images = images_of(handmade, "binary", "folds")
    assert images.logits[:, 0].tolist() == [0.5, -1.0, 3.0, 1.0, -2.0]
    assert images.case.tolist() == [0, 0, 0, 1, 1]
    assert images.patient.tolist() == [-1, 0, 0, 1, 1]
    assert images.true.tolist() == [1, 1, 1, 0, 0]
    assert images.magnification.tolist() == ["40", "unknown", "400", "100", "40"]


def test_a_case_has_the_mean_log_odds_of_its_images(handmade: Predictions) -> None:
    units = units_of(images_of(handmade, "binary", "folds"), "case")
    assert units.true.tolist() == [1, 0]
    np.testing.assert_allclose(units.score, [2.5 / 3, -0.5])
    np.testing.assert_allclose(units.probability, 1 / (1 + np.exp([-2.5 / 3, 0.5])), rtol=1e-7)
    assert units.predicted.tolist() == [1, 0]
    assert units.images.tolist() == [3, 2]


def _points(*, temperature: float = 1.0, threshold: float = 0.5, n: int) -> Decisions:
    plain = undecided(threshold=threshold)
    point = plain.image.model_copy(update={"temperature": temperature})
    operating = plain.model_copy(update={"image": point, "case": point})
    return Decisions(operating, (operating,), np.zeros(n, np.int64), is_cross_fitted=True)


def test_cases_of_cooled_logits_have_cooled_probabilities() -> None:
    plain = make_predictions(images=40, cases=16)
    decisions = _points(temperature=2.0, n=40)
    for level in LEVELS:
        units = units_of(images_of(plain, "binary", "folds", decisions=decisions), level)
        np.testing.assert_allclose(units.probability, 1 / (1 + np.exp(-units.score / 2)), rtol=1e-6)


def test_a_subtype_unit_is_a_case_and_subtype(handmade: Predictions) -> None:
    images = images_of(handmade, "subtype", "folds")
    assert len(images) == 4
    units = units_of(images, "case")
    assert sorted(zip(units.case.tolist(), units.true.tolist(), units.predicted.tolist(), strict=True)) == [
        (0, 4, 4),
        (0, 5, 4),
        (1, 0, 0),
    ]
    assert (units.n_cases(units.malignant), units.n_images(units.malignant)) == (1, 2)


def test_the_threshold_decides(handmade: Predictions) -> None:
    strict, lenient = (
        images_of(handmade, "binary", "folds", decisions=_points(threshold=threshold, n=5)) for threshold in (0.9, 0.1)
    )
    assert units_of(strict, "image").predicted.tolist() == [0, 0, 1, 0, 0]
    assert units_of(lenient, "case").predicted.tolist() == [1, 1]


def test_each_row_is_decided_by_its_own_point(handmade: Predictions) -> None:
    strict, lenient = undecided(threshold=0.99), undecided(threshold=0.01)
    decisions = Decisions(strict, (strict, lenient), np.array([0, 0, 0, 1, 1]), is_cross_fitted=True)
    units = units_of(images_of(handmade, "binary", "folds", decisions=decisions), "image")
    assert units.predicted.tolist() == [1, 1, 0, 0, 0]


def test_given_probabilities_are_taken_as_they_are(handmade: Predictions) -> None:
    given = Predictions(handmade.frame.assign(protocol="predict", prob_malignant=[0.1, 0.2, 0.3, 0.4, 0.9]))
    units = units_of(images_of(given, "binary", "predict"), "image")
    np.testing.assert_allclose(units.probability, [0.9, 0.4, 0.3, 0.2, 0.1])


def test_patients_share_their_weight(handmade: Predictions) -> None:
    images = images_of(handmade, "binary", "folds")
    assert units_of(images, "image").share.tolist() == [0, 0.5, 0.5, 0.5, 0.5]
    assert units_of(images, "case").share.tolist() == [0, 0]


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
