"""How sure a number is: cases drawn again and again, and exact intervals for proportions of cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONFIDENCE", "MIN_CASES", "Interval", "case_multiplicities", "clopper_pearson", "percentile_interval"]

CONFIDENCE: Final = 0.95
MIN_CASES: Final = 5
"""Fewest cases, in each class that a metric needs, for which an interval is given."""

Interval = tuple[float, float] | None

_MOST_REMEMBERED: Final = 40_000_000
_MOST_UNDEFINED: Final = 0.05


def case_multiplicities(
    case: NDArray[np.int64], malignant: NDArray[np.bool_], *, replicates: int, seed: int, block: int
) -> Iterator[NDArray[np.float64]]:
    """Draw cases with replacement, as often as there are cases, separately for benign and malignant ones.

    A case with both labels is drawn among its like.

    Args:
        case: shape (n,), the case of each unit, numbered from 0 without gaps.
        malignant: shape (n,), whether each unit is malignant.
        replicates: how many times all cases are drawn.
        seed: fixes the draws.
        block: most replicates in one array.

    Yields:
        Arrays of shape (at most `block`, cases): how often each case was drawn.
    """
    strata = _strata(case, malignant)
    # Many metrics ask for the same draws, one after the other.
    few = replicates * len(strata) <= _MOST_REMEMBERED
    asked = (strata.tobytes(), replicates, seed, block)
    blocks: Iterable[NDArray[np.integer]] = _remembered(*asked) if few else _draws(*asked)
    for drawn in blocks:
        yield drawn.astype(np.float64)


@lru_cache(maxsize=2)
def _remembered(strata: bytes, replicates: int, seed: int, block: int) -> list[NDArray[np.integer]]:
    return [_small(drawn) for drawn in _draws(strata, replicates, seed, block)]


def _small(drawn: NDArray[np.int64]) -> NDArray[np.integer]:
    return drawn.astype(np.uint8) if drawn.size and drawn.max() < 256 else drawn


def _draws(strata: bytes, replicates: int, seed: int, block: int) -> Iterator[NDArray[np.int64]]:
    kinds = np.frombuffer(strata, dtype=np.int64)
    cases = len(kinds)
    members = [np.flatnonzero(kinds == stratum) for stratum in np.unique(kinds)]
    random = np.random.default_rng(seed)
    for start in range(0, replicates, block):
        rows = min(block, replicates - start)
        drawn = [own[random.integers(0, len(own), (rows, len(own)))] for own in members]
        cells = np.concatenate(drawn, axis=1) + cases * np.arange(rows)[:, None]
        yield np.bincount(cells.ravel(), minlength=rows * cases).reshape(rows, cases)


def percentile_interval(values: NDArray[np.float64], *, cases: int) -> Interval:
    """Return the expanded central 95 % of bootstrap values, shape (replicates,).

    The plain percentiles of a bootstrap of few cases are too narrow, as a normal quantile is in place of Student's;
    these reach as much further out (Hesterberg, The American Statistician 69:371-386, 2015). What is left is that of
    percentiles: with a dozen cases about nine in ten such intervals hold the truth (tests/evaluation shows how many).

    Replicates in which the metric is undefined (NaN) are left out; where they are more than one in twenty, or there are
    no replicates, there is no interval.

    Args:
        values: the metric in every replicate.
        cases: fewest cases of a class that was drawn from, at least 2.
    """
    defined = values[~np.isnan(values)]
    if not defined.size or defined.size < (1 - _MOST_UNDEFINED) * values.size:
        return None
    tail = _expanded_tail(cases)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


@cache
def _expanded_tail(cases: int) -> float:
    """Return how much of the bootstrap values is left out on each side."""
    from scipy.special import ndtr, stdtrit

    freedom = max(cases, 2) - 1
    return float(ndtr(stdtrit(freedom, (1 - CONFIDENCE) / 2) * np.sqrt((freedom + 1) / freedom)))


def clopper_pearson(successes: int, trials: int) -> Interval:
    """Return the exact 95 % interval of a proportion (Clopper and Pearson, Biometrika 26:404-413, 1934).

    Example:
        >>> clopper_pearson(0, 0) is None
        True
        >>> [round(bound, 4) for bound in clopper_pearson(10, 12)]
        [0.5159, 0.9791]
    """
    if not trials:
        return None
    from scipy.special import betaincinv

    tail = (1 - CONFIDENCE) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return float(low), float(high)


def _strata(case: NDArray[np.int64], malignant: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each case 1 if it is benign, 2 if malignant, 3 if both."""
    benign_images, malignant_images = (
        np.bincount(case[mask], minlength=_n_cases(case)) for mask in (~malignant, malignant)
    )
    return (benign_images > 0) + 2 * (malignant_images > 0)


def _n_cases(case: NDArray[np.int64]) -> int:
    return int(case.max()) + 1 if case.size else 0
