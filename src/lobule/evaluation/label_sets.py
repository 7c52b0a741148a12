"""What label sets are worth: how often they hold the truth, and how much they leave open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.decision.conformal import SCORE
from lobule.evaluation.levels import Units
from lobule.evaluation.measures import Rule
from lobule.evaluation.sums import divide, weighted_sums
from lobule.taxonomy import LABELS

__all__ = ["label_set_rules", "label_set_shares", "label_set_values", "wrong_verdicts"]

Values = dict[str, NDArray[np.float64]]


def label_set_rules(units: Units) -> list[Rule]:
    """Return what coverage and set size count: the units of a class that have a set, or all that have one."""
    masks = {name: mask & _has_set(units) for name, mask in _masks(units).items()}
    covered = _covered(units)
    return [
        *(Rule(f"coverage {name}", mask, (mask,), proportion=True, right=covered) for name, mask in masks.items()),
        *(Rule(f"set_size {name}", mask, (mask,)) for name, mask in masks.items()),
    ]


def label_set_values(units: Units, multiplicity: NDArray[np.float64]) -> Values:
    """Return coverage (share of sets with the true label) and mean set size by class, shape (r,), in r replicates.

    Units without a set (alpha unattainable) are left out; undefined (NaN) where none has one.

    Args:
        units: n images or cases of the binary task.
        multiplicity: shape (r, cases), how often each case counts.
    """
    fits = np.nan_to_num(units.fits)
    covered = _covered(units)
    values: Values = {}
    for name, mask in _masks(units).items():
        counted = (mask & _has_set(units)).astype(np.float64)
        columns = np.stack([counted, counted * covered, counted * fits.sum(axis=1)], axis=1)
        total, hits, sizes = weighted_sums(units.case, columns, multiplicity).T
        values[f"coverage {name}"], values[f"set_size {name}"] = divide(hits, total), divide(sizes, total)
    return values


def label_set_shares(units: Units) -> dict[str, Any]:
    """Return how many of each 1 units have which set, whether there are sets for all, and the score in words."""
    fits, known = units.fits, _has_set(units)
    n = int(known.sum())
    sets = {"benign": (1, 0), "malignant": (0, 1), "both": (1, 1), "none": (0, 0)}
    shares = {
        name: float(f"{(fits[known] == wanted).all(axis=1).sum() / n:.9g}") if n else None
        for name, wanted in sets.items()
    }
    return {"shares": shares, "verdicts": _verdicts(units), "without_set": int((~known).sum()), "score": SCORE}


def wrong_verdicts(units: Units) -> tuple[Rule, Callable[[NDArray[np.float64]], Values]]:
    """Return how often a verdict of benign or malignant is wrong: what it counts, and its values in r replicates."""
    said = _certain(units)
    wrong = said & (units.predicted != units.true)
    columns = np.stack([said, wrong], axis=1).astype(np.float64)

    def values_of(multiplicity: NDArray[np.float64]) -> Values:
        total, errors = weighted_sums(units.case, columns, multiplicity).T
        return {"wrong_verdicts": divide(errors, total)}

    return Rule("wrong_verdicts", said, (said,), proportion=True, right=wrong), values_of


def _verdicts(units: Units) -> dict[str, dict[str, int]]:
    """Return how many units of each label got which verdict, refusals aside."""
    said = _certain(units)
    return {
        label: {
            **{
                name: int((said & (units.true == true) & (units.predicted == called)).sum())
                for called, name in enumerate(LABELS)
            },
            "uncertain": int((~said & (units.true == true)).sum()),
        }
        for true, label in enumerate(LABELS)
    }


def _certain(units: Units) -> NDArray[np.bool_]:
    """Return which units get a label as their verdict: the threshold's alone fits, or there are no sets."""
    fits = np.nan_to_num(units.fits)
    alone = (fits.sum(axis=1) == 1) & (fits[np.arange(len(units)), units.predicted] == 1)
    return np.asarray(alone | ~_has_set(units), dtype=bool)


def _masks(units: Units) -> dict[str, NDArray[np.bool_]]:
    return {"benign": ~units.malignant, "malignant": units.malignant, "all": np.ones(len(units), bool)}


def _covered(units: Units) -> NDArray[np.bool_]:
    return np.asarray(np.nan_to_num(units.fits)[np.arange(len(units)), units.true] > 0, dtype=bool)


def _has_set(units: Units) -> NDArray[np.bool_]:
    return np.asarray(~np.isnan(units.fits).any(axis=1), dtype=bool)
