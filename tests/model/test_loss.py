from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, log_loss

from lobule.model.loss import losses, weighted_mean


def test_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    logits, targets = generator.normal(size=(50, 8)) * 3, generator.integers(0, 8, 50)
    weights = generator.uniform(size=50)
    each, correct = losses(logits, targets)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = log_loss(targets, probabilities, sample_weight=weights, labels=range(8))
    np.testing.assert_allclose(weighted_mean(each, weights), expected)
    assert correct.mean() == accuracy_score(targets, logits.argmax(axis=1))


def test_one_logit_is_that_of_the_second_class_and_extremes_stay_finite() -> None:
    logits = np.array([[0.5], [-2.0], [900.0], [-900.0]])
    targets = np.array([1, 0, 0, 1])
    each, correct = losses(logits, targets)
    np.testing.assert_allclose(each, [np.log1p(np.exp(-0.5)), np.log1p(np.exp(-2.0)), 900, 900])
    assert correct.tolist() == [1, 1, 0, 0]


def test_mean_without_weight_is_undefined() -> None:
    assert np.isnan(weighted_mean(np.ones(2), np.zeros(2)))
    assert np.isnan(weighted_mean(np.ones(0), np.zeros(0)))
