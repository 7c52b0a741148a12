"""One number that makes probabilities as sure as they are right."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["TEMPERATURES", "fit_temperature"]

_ROWS_AT_ONCE: Final = 8192
_MANY: Final = 65_536
"""Of more rows, a sixteenth tells first where to look."""

_SAMPLED: Final = 16
_AROUND: Final = 1.1
TEMPERATURES: Final = (0.05, 20.0)
"""Range that temperatures are sought in; logits that tell nothing end at the upper bound."""

_FACTORS: Final = (1 / TEMPERATURES[1], 1 / TEMPERATURES[0])


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
    slope, low, high = cache(_slope_of(logits, true)), *_FACTORS
    if len(true) > _MANY:
        near = 1 / fit_temperature(logits[::_SAMPLED], true[::_SAMPLED])
        around = max(low, near / _AROUND), min(high, near * _AROUND)
        if slope(around[0]) < 0 < slope(around[1]):
            low, high = around
    if slope(low) >= 0:
        return TEMPERATURES[1]
    if slope(high) <= 0:
        return TEMPERATURES[0]
    from scipy.optimize import brentq

    return float(1 / brentq(slope, low, high, xtol=1e-12))


def _slope_of(logits: NDArray[np.float64], true: NDArray[np.int64]) -> Callable[[float], float]:
    """Return the derivative of the mean negative log-likelihood with respect to the factor on the logits.

    Rows are taken a few thousand at a time: of a million, what is between two steps would not fit into a cache.
    """
    by_class = np.ascontiguousarray(logits.T)
    if len(by_class) == 1:
        by_class = np.concatenate([np.zeros_like(by_class), by_class])
    below = by_class - by_class.max(axis=0)
    of_truth = by_class[true, np.arange(len(true))]
    expected = np.empty(len(true))

    def slope(factor: float) -> float:
        for start in range(0, len(true), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            powers = np.exp(factor * below[:, rows])
            expected[rows] = (powers * by_class[:, rows]).sum(axis=0) / powers.sum(axis=0)
        return float((expected - of_truth).mean())

    return slope
