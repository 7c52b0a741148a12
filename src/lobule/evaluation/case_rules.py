"""Ways from the images of a case to one answer, measured beside each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.decision.threshold import choose_threshold
from lobule.evaluation.levels import Images, Units, units_of
from lobule.evaluation.predictions import sigmoid
from lobule.threshold_rule import ThresholdRule

__all__ = ["CASE_RULES", "units_by_rule"]

Vector = NDArray[np.float64]

_BEST: Final = ThresholdRule("balanced_accuracy")
_IN_USE: Final = "mean_log_odds"


def _majority(probability: Vector) -> float:
    return float((probability >= 0.5).mean())


CASE_RULES: Final[dict[str, Callable[[Vector], float]]] = {
    _IN_USE: lambda p: float(sigmoid((np.log(p) - np.log1p(-p)).mean(keepdims=True))[0]),
    "mean_probability": lambda p: float(p.mean()),
    "median_probability": lambda p: float(np.median(p)),
    "largest_probability": lambda p: float(p.max()),
    "majority_vote": _majority,
}
"""Name -> from P(malignant) of a case's images, shape (images,), to the case's score between 0 and 1."""


def units_by_rule(images: Images, group: NDArray[np.int64], name: str) -> Units:
    """Return the cases, scored by a rule.

    The first rule is the one in use, with its own threshold. The others are called by the threshold of the largest
    balanced accuracy in other groups of cases, or at 0.5 where there is only one group.

    Args:
        images: n images of the binary task.
        group: shape (n,), by which cases are judged by one another; that of a case is its first image's.
        name: key of `CASE_RULES`.
    """
    cases = units_of(images, "case")
    if name == _IN_USE:
        return cases
    per_image = np.clip(sigmoid(images.uncalibrated[:, 0]), 1e-9, 1 - 1e-9)
    _, first, inverse, counts = np.unique(
        images.case * 2 + images.true, return_index=True, return_inverse=True, return_counts=True
    )
    by_case = np.split(per_image[np.argsort(inverse, kind="stable")], np.cumsum(counts)[:-1])
    score = np.array([CASE_RULES[name](of_case) for of_case in by_case])
    return replace(cases, score=score, predicted=_called(score, cases.malignant, group[first]))


def _called(score: Vector, malignant: NDArray[np.bool_], group: NDArray[np.int64]) -> NDArray[np.int64]:
    groups = np.unique(group)
    predicted = (score >= 0.5).astype(np.int64)
    for value in groups if len(groups) > 1 else ():
        own = group == value
        predicted[own] = score[own] >= choose_threshold(score[~own], malignant[~own], _BEST)
    return predicted
