"""Many differences judged at once: intervals that hold together, not only one by one."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.intervals import CONFIDENCE
from lobule.evaluation.sums import divide

__all__ = ["NEGLIGIBLE", "simultaneous_intervals"]

NEGLIGIBLE: Final = 1e-12
"""What lies nearer to 0 is an error of rounding."""


def simultaneous_intervals(
    values: NDArray[np.float64], replicates: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return intervals that all hold together with 95 % confidence.

    The single-step maximum of absolute t statistics over the joint bootstrap distribution: with s the standard
    deviation of a statistic over its replicates, the critical value c is the 95 % quantile of max |replicate - value|
    / s over the statistics, and an interval is value ± c s. It keeps the dependence between the statistics, and is so
    narrower than Bonferroni's where they move together (P. H. Westfall, S. S. Young, Resampling-Based Multiple Testing,
    Wiley 1993; J. P. Romano, M. Wolf, Econometrica 73:1237-1282, 2005).

    Args:
        values: shape (k,), the statistics.
        replicates: shape (r, k), row by row the same draws; NaN where undefined, which is left out.

    Returns:
        c (NaN without replicates) and the bounds, shape (k, 2); a statistic that is the same in all its replicates has
        an interval of no width, and adds nothing to c.

    Example:
        >>> draws = np.random.default_rng(0).normal(size=(100_000, 1))
        >>> c, bounds = simultaneous_intervals(np.zeros(1), draws)
        >>> round(c, 1), bounds.round(1).tolist()
        (2.0, [[-2.0, 2.0]])
    """
    if not replicates.size:
        return float("nan"), np.full((len(values), 2), np.nan)
    defined = ~np.isnan(replicates)
    spread = np.sqrt(_means((replicates - _means(replicates, defined)) ** 2, defined))
    spread = np.where(spread > NEGLIGIBLE, spread, 0.0)
    moved = np.where(defined, np.abs(replicates - values), 0.0)
    largest = np.divide(moved, spread, out=np.zeros_like(moved), where=spread > 0).max(axis=1)
    critical = float(np.quantile(largest, CONFIDENCE))
    return critical, np.stack([values - critical * spread, values + critical * spread], axis=1)


def _means(values: NDArray[np.float64], defined: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the means of the defined values of each column, shape (k,); NaN where there are none."""
    total, count = np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0)
    return divide(total, count.astype(np.float64))
