"""From which probability on something is called malignant, chosen by a stated rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lobule.threshold_rule import ThresholdRule

__all__ = ["choose_threshold"]


def choose_threshold(probability: NDArray[np.float64], malignant: NDArray[np.bool_], rule: ThresholdRule) -> float:
    """Return the threshold that a rule chooses.

    Candidates are 0.5 and what lies half-way between neighbouring probabilities, so that none is decided by its last
    digit. Of equally good ones the nearest to 0.5 is taken.

    Args:
        probability: shape (n,), P(malignant).
        malignant: shape (n,).
        rule: how to choose.

    Returns:
        A probability above 0 (a P(malignant) of exactly 0 is never called malignant) and at most 1; `wanted` for a
        fixed rule, and 0.5 where a class is missing.
    """
    if rule.kind == "fixed":
        return rule.wanted
    if malignant.all() or not malignant.any():
        return 0.5
    values = np.unique(probability)
    between = (values[1:] + values[:-1]) / 2
    candidates = np.concatenate([[values[0] / 2], between, [(values[-1] + 1) / 2], [0.5]])
    candidates = candidates[candidates > 0]
    recall = _share_at_least(probability[malignant], candidates)
    specificity = 1 - _share_at_least(probability[~malignant], candidates)
    if rule.kind == "sensitivity":
        enough = candidates[recall >= rule.wanted - 1e-12]
        return float(enough.max()) if enough.size else float(candidates.min())
    score = recall + specificity
    best = candidates[score >= score.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])


def _share_at_least(values: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(values)
    return np.asarray(1 - np.searchsorted(ordered, thresholds, side="left") / len(ordered), dtype=np.float64)
