"""Label sets with a stated share of misses: class-conditional conformal prediction, one score a case."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.decision.operating import LabelSets

__all__ = ["SCORE", "calibrate_label_sets", "case_quantile"]

SCORE: Final = "1 - P(label), of one image drawn from each case; the median over many draws"
"""How badly a label fits."""

_DRAWS: Final = 999
_MOST_NUMBERS: Final = 2_000_000
_ROUNDING: Final = 1e-9


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
    """Return the score that an image of a new case exceeds with a probability of about alpha.

    Images of one case are not exchangeable with those of others, cases are: one image drawn from each of K cases gives
    K scores for split conformal prediction, whose quantile is the ceil((1 - alpha) (K + 1))-th smallest (Vovk et al.,
    Algorithmic Learning in a Random World, 2005; one draw a group: Dunn, Wasserman and Ramdas, JASA 118:2491-2502,
    2023). One draw holds exactly but depends on luck; the median over 999 seeded draws does not, and holds
    approximately. With one image a case it is split conformal prediction itself.

    Args:
        score: shape (n,), how badly the true label fits.
        case: shape (n,), any numbers of the cases.
        alpha: share that may exceed it.

    Returns:
        The quantile, None where alpha is below 1 / (K + 1): with so few cases it is unattainable.
    """
    cases, counts = np.unique(case, return_counts=True)
    place = int(np.ceil((1 - alpha) * (len(cases) + 1) - _ROUNDING))
    if place > len(cases):
        return None
    ordered = score[np.lexsort((score, case))]
    starts = np.cumsum(counts) - counts
    draws = 1 if (counts == 1).all() else max(99, min(_DRAWS, _MOST_NUMBERS // len(cases)))
    drawn = ordered[starts + (np.random.default_rng(0).random((draws, len(cases))) * counts).astype(np.int64)]
    return float(np.median(np.partition(drawn, place - 1, axis=1)[:, place - 1]))
