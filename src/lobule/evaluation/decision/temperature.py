"""One number that makes probabilities as sure as they are right."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["TEMPERATURES", "fit_temperature"]

TEMPERATURES: Final = (0.05, 20.0)
"""Range that temperatures are sought in; logits that tell nothing end at the upper bound."""


def fit_temperature(logits: NDArray[np.float64], true: NDArray[np.int64]) -> float:
    """Return the temperature that makes the observed classes most likely (Guo et al., ICML 2017).

    The mean negative log-likelihood is convex in 1 / temperature, so its derivative has one zero, found by bisection.
    Dividing logits by one positive number never changes their ranking.

    Args:
        logits: shape (n, 1) for malignant against benign, or (n, classes).
        true: shape (n,), class index.

    Returns:
        A number in `TEMPERATURES`; 1 without images or with one class only.
    """
    if not len(true) or len(np.unique(true)) < 2:
        return 1.0
    pairs = logits if logits.shape[1] > 1 else np.concatenate([np.zeros_like(logits), logits], axis=1)
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    if _slope(pairs, true, low) >= 0:
        return TEMPERATURES[1]
    if _slope(pairs, true, high) <= 0:
        return TEMPERATURES[0]
    from scipy.optimize import brentq

    return float(1 / brentq(lambda factor: _slope(pairs, true, factor), low, high, xtol=1e-12))


def _slope(logits: NDArray[np.float64], true: NDArray[np.int64], factor: float) -> float:
    """Return the derivative of the mean negative log-likelihood with respect to the factor on the logits."""
    powers = np.exp(factor * (logits - logits.max(axis=1, keepdims=True)))
    expected = (powers * logits).sum(axis=1) / powers.sum(axis=1)
    return float((expected - logits[np.arange(len(true)), true]).mean())
