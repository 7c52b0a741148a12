"""Metrics of the eight subtypes, for many bootstrap replicates at once."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.evaluation.levels import Units
from lobule.evaluation.sums import confusions, divide
from lobule.taxonomy import SUBTYPES

__all__ = ["CLASS_METRICS", "SUBTYPE_METRICS", "scorable_subtypes", "subtype_values"]

SUBTYPE_METRICS: Final = ("accuracy", "balanced_accuracy", "macro_f1", "cohen_kappa")
CLASS_METRICS: Final = ("precision", "recall", "f1")

Values = dict[str, NDArray[np.float64]]


def scorable_subtypes(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which subtypes have at least two cases in all protocols of the predictions together, shape (8,).

    A subtype with one case cannot be both learned and tested, so its scores are undefined.
    """
    cases = frame[frame["subtype"] != ""].groupby("subtype")["case_id"].nunique()
    return np.array([cases.get(name, 0) >= 2 for name in SUBTYPES], dtype=bool)


def subtype_values(units: Units, multiplicity: NDArray[np.float64], *, scorable: NDArray[np.bool_]) -> Values:
    """Return the metrics of `SUBTYPE_METRICS`, and `CLASS_METRICS` as "recall adenosis", shape (r,), in r replicates.

    `accuracy` and `cohen_kappa` (agreement beyond the chance of the marginals) are over all units with a subtype.
    `balanced_accuracy` (mean recall) and `macro_f1` (mean of 2 TP / (2 TP + FP + FN)) are over the subtypes that are
    present and scorable, undefined (NaN) with fewer than two of them, and in a replicate that lost one of them. For a
    subtype, precision is undefined where it is never predicted, and all three where it is absent or not scorable.

    Args:
        units: n images or cases.
        multiplicity: shape (r, cases), how often each case counts.
        scorable: shape (8,), from `scorable_subtypes`.
    """
    classes = len(SUBTYPES)
    cell = units.true * classes + units.predicted
    matrix = confusions(units.case, cell, multiplicity, cells=classes**2).reshape(-1, classes, classes)
    right = np.diagonal(matrix, axis1=1, axis2=2)
    true, predicted, total = matrix.sum(axis=2), matrix.sum(axis=1), matrix.sum(axis=(1, 2))
    scored = scorable & (np.bincount(units.true, minlength=classes) > 0)
    hidden = ~scored | (true == 0)
    per_class = {
        "precision": np.where(hidden, np.nan, divide(right, predicted)),
        "recall": np.where(hidden, np.nan, divide(right, true)),
        "f1": np.where(hidden, np.nan, divide(2 * right, true + predicted)),
    }
    accuracy, chance = divide(right.sum(axis=1), total), divide((true * predicted).sum(axis=1), total**2)
    return {
        "accuracy": accuracy,
        "balanced_accuracy": _mean_over(per_class["recall"], scored),
        "macro_f1": _mean_over(per_class["f1"], scored),
        "cohen_kappa": divide(accuracy - chance, 1 - chance),
        **{f"{name} {SUBTYPES[k]}": values[:, k] for name, values in per_class.items() for k in range(classes)},
    }


def _mean_over(values: NDArray[np.float64], scored: NDArray[np.bool_]) -> NDArray[np.float64]:
    if scored.sum() < 2:
        return np.full(len(values), np.nan)
    return np.asarray(values[:, scored].mean(axis=1), dtype=np.float64)
