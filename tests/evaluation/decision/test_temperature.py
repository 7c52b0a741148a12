from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from lobule.evaluation.decision import temperature
from lobule.evaluation.decision.temperature import TEMPERATURES, fit_temperature
from lobule.evaluation.predictions import sigmoid, softmax


def _log_loss(temperature: float, logits: np.ndarray, true: np.ndarray) -> float:
    if logits.shape[1] == 1:
        p = sigmoid(logits[:, 0] / temperature)
        return float(-np.log(np.where(true == 1, p, 1 - p)).mean())
    return float(-np.log(softmax(logits / temperature)[np.arange(len(true)), true]).mean())


@pytest.mark.parametrize("classes", [1, 8])
@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_it_is_the_minimum_of_the_log_loss(classes: int, sharpness: float) -> None:
    rng = np.random.default_rng(classes)
    honest = 1.5 * rng.normal(size=(400, classes))
    true = (
        (rng.random(400) < sigmoid(honest[:, 0])).astype(np.int64)
        if classes == 1
        else np.array([rng.choice(8, p=p) for p in softmax(honest)])
    )
    found = fit_temperature(sharpness * honest, true)
    best = minimize_scalar(
        lambda log_t: _log_loss(np.exp(log_t), sharpness * honest, true), bounds=np.log(TEMPERATURES), method="bounded"
    )
    assert found == pytest.approx(np.exp(best.x), rel=1e-3)
    assert found == pytest.approx(sharpness, rel=0.25)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(2, 60))
def test_ranking_never_changes(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    logits, true = rng.normal(size=(n, 1)) * 5, rng.integers(0, 2, n)
    temperature = fit_temperature(logits, true)
    assert TEMPERATURES[0] <= temperature <= TEMPERATURES[1]
    before, after = sigmoid(logits[:, 0]), sigmoid(logits[:, 0] / temperature)
    order = np.argsort(before, kind="stable")
    assert (np.diff(after[order]) >= 0).all()


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_of_many_rows_it_is_sought_near_that_of_a_few(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    logits = scale * rng.normal(size=(3200, 1))
    true = (rng.random(3200) < sigmoid(logits[:, 0] / scale)).astype(np.int64)
    for sorted_rows in (np.arange(3200), np.argsort(logits[:, 0])):  # a sixteenth of it may mislead
        whole = fit_temperature(logits[sorted_rows], true[sorted_rows])
        monkeypatch.setattr(temperature, "_MANY", 100)
        assert fit_temperature(logits[sorted_rows], true[sorted_rows]) == pytest.approx(whole, rel=1e-9)
        misleading = np.concatenate([true[sorted_rows][:3000:16].repeat(16), true[sorted_rows][3000:]])[:3200]
        near = fit_temperature(logits[sorted_rows], misleading)
        monkeypatch.setattr(temperature, "_MANY", 10**9)
        assert near == pytest.approx(fit_temperature(logits[sorted_rows], misleading), rel=1e-9)


def test_what_cannot_be_fitted_stays_as_it_is() -> None:
    assert fit_temperature(np.empty((0, 1)), np.empty(0, np.int64)) == 1.0
    assert fit_temperature(np.array([[1.0], [2.0]]), np.array([1, 1])) == 1.0


def test_logits_without_errors_become_as_sure_as_allowed_and_useless_ones_unsure() -> None:
    true = np.array([0, 0, 1, 1])
    right = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    assert fit_temperature(right, true) == TEMPERATURES[0]
    assert fit_temperature(-right, true) == TEMPERATURES[1]
