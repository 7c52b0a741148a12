"""Label sets with a stated share of misses: class-conditional conformal prediction in which every case counts once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.decision.operating import LabelSets

__all__ = ["SCORE", "calibrate_label_sets", "case_quantile"]

SCORE = (
    "how badly a label fits is 1 - P(label); a case counts once in its class, its images share its weight "
    "(hierarchical conformal prediction)"
)
_ROUNDING = 1e-9


def calibrate_label_sets(
    probability: NDArray[np.float64], malignant: NDArray[np.bool_], case: NDArray[np.int64], *, alpha: float
) -> LabelSets:
    """Calibrate label sets, separately for benign and malignant cases.

    Args:
        probability: shape (n,), P(malignant) of images (or of cases, one row each) that the model had not seen.
        malignant: shape (n,), what they are.
        case: shape (n,), any numbers of their cases.
        alpha: share of cases of a class whose own label may be missing from the set.
    """
    return LabelSets(
        alpha=alpha,
        benign=case_quantile(probability[~malignant], case[~malignant], alpha=alpha),
        malignant=case_quantile(1 - probability[malignant], case[malignant], alpha=alpha),
        benign_cases=len(np.unique(case[~malignant])),
        malignant_cases=len(np.unique(case[malignant])),
    )


def case_quantile(score: NDArray[np.float64], case: NDArray[np.int64], *, alpha: float) -> float | None:
    """Return the score that the next case's image exceeds with a probability of at most alpha.

    With K cases, each image of case k weighs 1 / ((K + 1) images of k), and infinity weighs 1 / (K + 1); the result is
    the quantile 1 - alpha of that distribution (Lee, Barber and Willett, "Distribution-free inference with hierarchical
    data", 2023). It holds for an image of a new case if cases are exchangeable, and the images within each. With one
    image a case it is split conformal prediction.

    Args:
        score: shape (n,), how badly the true label fits.
        case: shape (n,), any numbers of the cases.
        alpha: share that may exceed it.

    Returns:
        The quantile, None where alpha is below 1 / (K + 1): with so few cases it is unattainable.
    """
    cases, inverse, counts = np.unique(case, return_inverse=True, return_counts=True)
    needed = (1 - alpha) * (len(cases) + 1) - _ROUNDING
    if needed > len(cases):
        return None
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(1 / counts[inverse][order])
    place = min(int(np.searchsorted(reached, needed)), len(order) - 1)
    return float(score[order][place])
