"""Ways from the images of a case to one answer, measured beside each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.decision.threshold import ThresholdRule, choose_threshold
from lobule.evaluation.levels import Images, Units, units_of
from lobule.evaluation.predictions import sigmoid

__all__ = ["CASE_RULES", "units_by_rule"]

Vector = NDArray[np.float64]

_BEST: Final = ThresholdRule("balanced_accuracy")


def _majority(probability: Vector) -> float:
    return float((probability >= 0.5).mean())


CASE_RULES: Final[dict[str, Callable[[Vector], float]]] = {
    "mean_log_odds": lambda p: float(sigmoid((np.log(p) - np.log1p(-p)).mean(keepdims=True))[0]),
    "mean_probability": lambda p: float(p.mean()),
    "median_probability": lambda p: float(np.median(p)),
    "largest_probability": lambda p: float(p.max()),
    "majority_vote": _majority,
}
"""Name -> from P(malignant) of a case's images, shape (images,), to the case's score between 0 and 1."""


def units_by_rule(images: Images, group: NDArray[np.int64], name: str) -> Units:
    """Return the cases, scored by a rule, each called by a threshold that other groups of cases chose.

    The threshold is that of the largest balanced accuracy: no rule is judged at a threshold made for another.

    Args:
        images: n images of the binary task.
        group: shape (n,), by which cases are judged by one another; that of a case is its first image's.
        name: key of `CASE_RULES`.
    """
    per_image = np.clip(sigmoid(images.uncalibrated[:, 0]), 1e-9, 1 - 1e-9)
    cases = units_of(images, "case")
    keys, first, inverse = np.unique(images.case * 2 + images.true, return_index=True, return_inverse=True)
    score = np.array([CASE_RULES[name](per_image[inverse == unit]) for unit in range(len(keys))])
    own = group[first]
    predicted = np.zeros(len(cases), dtype=np.int64)
    for value in np.unique(own):
        others = own != value if len(np.unique(own)) > 1 else np.ones(len(own), bool)
        threshold = choose_threshold(score[others], cases.malignant[others], _BEST)
        predicted[own == value] = score[own == value] >= threshold
    return replace(cases, score=score, predicted=predicted)
