"""How many errors are left when the least confident answers are held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.errors import DataError
from lobule.evaluation.nodes import MOST_IN_FULL, along_nodes, corrected, in_turns, joined, node_counts, nodes_of
from lobule.evaluation.sums import divide

__all__ = ["RiskCoverage", "confidence_of", "risk_coverage", "risk_coverage_areas"]

Vector = NDArray[np.float64]

_NEAREST: Final = 1e-9


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """The share of errors among the answers, as more and more units are answered, the most confident first.

    All arrays have shape (steps,); units of the same confidence are answered in one step, so that the order of the
    units changes nothing.

    Attributes:
        coverage: share of the units that are answered, above 0, up to 1.
        risk: share of the answered units that are wrong.
        confidence: confidence of the least confident unit that is answered, falling.
    """

    coverage: Vector
    risk: Vector
    confidence: Vector

    @property
    def area(self) -> float:
        """Mean risk over all coverages, 0 to 1: 0 without errors, the error rate where confidence tells nothing."""
        return float((self.risk * np.diff(self.coverage, prepend=0.0)).sum())

    def accuracy_at(self, coverage: float) -> float:
        """Return the share of right answers when at least this share of the units, above 0, is answered."""
        step = np.searchsorted(self.coverage, min(coverage, 1.0) - 1e-9)
        return float(1 - self.risk[min(int(step), len(self.risk) - 1)])

    def to_frame(self) -> pd.DataFrame:
        """Return the curve as a table."""
        return pd.DataFrame(vars(self))


def confidence_of(probability: Vector, threshold: Vector) -> Vector:
    """Return how far the log-odds of P(malignant) are from those of the threshold that decided it, at least 0.

    Args:
        probability: shape (n,), 0 to 1; kept 1e-9 from both.
        threshold: shape (n,), or one for all.
    """
    from scipy.special import logit

    return np.asarray(
        np.abs(logit(np.clip(probability, _NEAREST, 1 - _NEAREST)) - logit(np.clip(threshold, _NEAREST, 1 - _NEAREST)))
    )


def risk_coverage(wrong: NDArray[np.bool_], confidence: Vector) -> RiskCoverage:
    """Return the curve of n units.

    Args:
        wrong: shape (n,), whether the answer is wrong; n is at least 1.
        confidence: shape (n,), larger is surer.

    Raises:
        DataError: there is no unit, or the shapes differ.
    """
    order, ends = _steps(wrong, confidence)
    answered = ends + 1.0
    errors = np.cumsum(np.asarray(wrong, dtype=np.float64)[order])[ends]
    return RiskCoverage(coverage=answered / len(order), risk=errors / answered, confidence=confidence[order][ends])


def risk_coverage_areas(
    wrong: NDArray[np.bool_], confidence: Vector, *, case: NDArray[np.int64], multiplicity: Vector
) -> Vector:
    """Return the area under the curve in r bootstrap replicates, shape (r,); NaN where no unit is drawn.

    Args:
        wrong: shape (n,), whether the answer is wrong.
        confidence: shape (n,), larger is surer.
        case: shape (n,), number of each unit's case, from 0.
        multiplicity: shape (r, cases), how often each case counts.

    Raises:
        DataError: there is no unit, or the shapes differ.
    """
    order, ends = _steps(wrong, confidence)

    def in_full(drawn: Vector) -> dict[str, Vector]:
        weights = drawn[:, case[order]]
        answered = np.cumsum(weights, axis=1)[:, ends]
        errors = np.cumsum(weights * np.asarray(wrong, dtype=np.float64)[order], axis=1)[:, ends]
        return {"area": _mean_risk(errors, answered)}

    if len(case) <= MOST_IN_FULL or len(multiplicity) == 1:
        return joined(in_full(drawn) for drawn in in_turns(multiplicity, len(case)))["area"]
    node = nodes_of(order, ends)

    def on_nodes(drawn: Vector) -> dict[str, Vector]:
        counts = node_counts(case, node, np.asarray(wrong, dtype=bool), drawn)
        return along_nodes(lambda errors, answered: {"area": _mean_risk(errors, answered)}, counts)

    return corrected(on_nodes, in_full(np.ones((1, multiplicity.shape[1]))), multiplicity)["area"]


def _mean_risk(errors: Vector, answered: Vector) -> Vector:
    """Return the mean share of errors over all coverages, shape (r,), of counts at each step, (r, steps)."""
    risk = np.divide(errors, answered, out=np.zeros_like(errors), where=answered > 0)
    return divide((risk * np.diff(answered, axis=1, prepend=0.0)).sum(axis=1), answered[:, -1])


def _steps(wrong: NDArray[np.bool_], confidence: Vector) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the units from the surest on, shape (n,), and the place of the last one of each confidence."""
    if np.shape(wrong) != np.shape(confidence) or np.ndim(wrong) != 1 or not len(wrong):
        raise DataError(
            f"wrong, confidence: two arrays of one length of at least 1 are needed; received shapes {np.shape(wrong)} "
            f"and {np.shape(confidence)}"
        )
    order = np.argsort(-confidence, kind="stable")
    changes = np.flatnonzero(np.diff(confidence[order]))
    return order, np.append(changes, len(order) - 1)
