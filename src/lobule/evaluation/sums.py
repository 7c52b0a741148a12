"""Sums over units in many bootstrap replicates at once: each unit counts as often as its case was drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["confusions", "divide", "weighted_sums"]


def weighted_sums(
    case: NDArray[np.int64], columns: NDArray[np.float64], multiplicity: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sums of k columns over all units in r replicates.

    Args:
        case: shape (n,), the case of each unit.
        columns: shape (n, k).
        multiplicity: shape (r, cases), how often each case counts.

    Returns:
        Shape (r, k).
    """
    cases = multiplicity.shape[1]
    per_case = np.stack([np.bincount(case, weights=column, minlength=cases) for column in columns.T], axis=1)
    return np.asarray(multiplicity @ per_case, dtype=np.float64)


def confusions(
    case: NDArray[np.int64],
    cell: NDArray[np.int64],
    multiplicity: NDArray[np.float64],
    *,
    cells: int,
    values: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return how many units (or what sum of `values`) falls into each cell, in r replicates.

    Args:
        case: shape (n,), the case of each unit.
        cell: shape (n,), e.g. true class times number of classes plus predicted class.
        multiplicity: shape (r, cases), how often each case counts.
        cells: number of cells.
        values: shape (n,); 1 each where not given.

    Returns:
        Shape (r, cells).
    """
    cases = multiplicity.shape[1]
    per_case = np.bincount(case * cells + cell, weights=values, minlength=cases * cells).reshape(cases, cells)
    return np.asarray(multiplicity @ per_case, dtype=np.float64)


def divide(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quotient, NaN where the denominator is 0: a ratio over nothing is undefined, never 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
