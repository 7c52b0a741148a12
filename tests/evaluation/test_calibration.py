from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from lobule.evaluation.calibration import calibration_names, calibration_values, recalibration
from lobule.evaluation.decision.decide import decide
from lobule.evaluation.levels import Level, Units, images_of, units_of
from lobule.evaluation.predictions import Predictions, sigmoid, softmax
from lobule.taxonomy import Task


def oracle(log_odds: NDArray[np.float64], true: NDArray[np.bool_], weights: NDArray[np.float64]) -> tuple[float, float]:
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(log_odds[:, None], true, sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


@pytest.mark.parametrize("n", [60, 900])
def test_slope_and_intercept_are_those_of_scikit_learn(n: int) -> None:
    """Beyond 512 different values nodes stand for neighbours, which costs less than a hundredth of a standard error."""
    rng = np.random.default_rng(n)
    log_odds = 2 * rng.normal(size=n)
    true, case = rng.random(n) < sigmoid(0.7 * log_odds + 0.4), np.arange(n) % 20
    multiplicity = np.stack([np.ones(20), *(rng.multinomial(20, np.full(20, 0.05)) for _ in range(5))]).astype(float)
    slope, intercept = recalibration(log_odds, true, case, multiplicity)
    for row, weights in enumerate(multiplicity):
        expected = oracle(log_odds, true, weights[case])
        np.testing.assert_allclose((slope[row], intercept[row]), expected, atol=1e-5 if n < 512 else 1e-3)


def test_separated_or_constant_classes_have_no_slope() -> None:
    true, case, once = np.arange(10) >= 5, np.arange(10), np.ones((2, 10))
    for log_odds in (np.arange(10.0), np.zeros(10)):
        slope, intercept = recalibration(log_odds, true, case, once)
        assert np.isnan(slope).all()
        assert np.isnan(intercept).all()
    slope, _ = recalibration(np.arange(10.0), np.ones(10, bool), case, once)
    assert np.isnan(slope).all()


def test_a_replicate_without_one_class_is_undefined_and_the_others_are_not() -> None:
    rng = np.random.default_rng(0)
    log_odds, case = rng.normal(size=40), np.arange(40) // 10
    true = rng.random(40) < 0.5
    true[:10] = False
    slope, _ = recalibration(log_odds, true, case, np.array([[4.0, 0, 0, 0], [1, 1, 1, 1]]))
    assert np.isnan(slope).tolist() == [True, False]


def _units(predictions: Predictions, task: Task, level: Level) -> Units:
    return units_of(images_of(predictions, task, "folds", decisions=decide(predictions)), level)


@pytest.mark.parametrize("level", ["image", "case"])
def test_measures_before_and_after_temperature(predictions: Predictions, level: Level) -> None:
    units = _units(predictions, "binary", level)
    once = np.ones((1, int(units.case.max()) + 1))
    for stage, temperature in (("before", 1.0), ("after", units.temperature)):
        values = calibration_values(units, once, stage=stage)  # type: ignore[arg-type]
        assert tuple(values) == calibration_names("binary")
        p = sigmoid(units.uncalibrated[:, 0] / temperature)
        assert values["brier"][0] == pytest.approx(brier_score_loss(units.malignant, p))
        assert values["log_loss"][0] == pytest.approx(log_loss(units.malignant, p))


def test_measures_of_the_subtypes(predictions: Predictions) -> None:
    units = _units(predictions, "subtype", "image")
    values = calibration_values(units, np.ones((1, 48)), stage="after")
    p = softmax(units.uncalibrated / units.temperature[:, None])
    assert values["log_loss"][0] == pytest.approx(log_loss(units.true, p, labels=range(8)))
    assert values["brier"][0] == pytest.approx(np.mean(np.sum((p - np.eye(8)[units.true]) ** 2, axis=1)))
    confidence, right = p.max(axis=1), p.argmax(axis=1) == units.true
    ece = 0.0
    for low in range(15):
        inside = (confidence >= low / 15) & (confidence < (low + 1) / 15)
        ece += abs(right[inside].sum() - confidence[inside].sum()) / len(p)
    assert values["ece"][0] == pytest.approx(ece)


def test_probabilities_that_mean_what_they_say_have_slope_one() -> None:
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=20_000)
    slope, intercept = recalibration(
        log_odds, rng.random(20_000) < sigmoid(log_odds), np.arange(20_000), np.ones((1, 20_000))
    )
    assert slope[0] == pytest.approx(1, abs=0.06)
    assert intercept[0] == pytest.approx(0, abs=0.06)
