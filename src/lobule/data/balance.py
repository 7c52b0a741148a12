"""What a good split of a data set is: counts of each group, and how much each of them matters."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.config import DataSettings
from lobule.data.assignment import Balance
from lobule.errors import SplitError
from lobule.taxonomy import LABELS, SUBTYPES

__all__ = ["balance_of", "demand_groups", "group_counts"]

# Cases before images: the benign cases are few, and every interval is over cases.
_WEIGHTS = {"images": 1.0, "label_images": 16.0, "label_cases": 8.0, "subtype_cases": 1.0, "subtype_images": 0.3}
_MAGNIFICATION_WEIGHT = 0.3
_PENALTIES = {"label_cases": 100.0, "subtype_cases": 4.0}


def group_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each group (sorted) and a column for each thing to balance, named (kind, what)."""
    magnification = frame["magnification"].astype("string").fillna("unknown")
    columns = {
        ("images", ""): pd.Series(1, index=frame.index),
        **{("label_images", label): frame["label"] == label for label in LABELS},
        **{("subtype_images", subtype): frame["subtype"] == subtype for subtype in SUBTYPES},
        **{("magnification", str(name)): magnification == name for name in sorted(magnification.unique())},
    }
    images = pd.DataFrame({key: column.astype(float) for key, column in columns.items()})
    counts = images.groupby(frame["group"].to_numpy(), sort=True).sum()
    for kind in ("label", "subtype"):
        for name in counts[f"{kind}_images"].columns:
            counts[f"{kind}_cases", name] = (counts[f"{kind}_images", name] > 0).astype(float)
    return counts


def demand_groups(counts: pd.DataFrame, settings: DataSettings) -> None:
    """Assert that each fold can have a group of each label.

    Raises:
        SplitError: says which label is short, of what, and what to do.
    """
    found = {label: int(counts["label_cases", label].sum()) for label in LABELS}
    short = [label for label in LABELS if found[label] < settings.folds]
    if not short:
        return
    unit = settings.group
    fewest = min(found.values())
    way_out = f"Use --folds {fewest} or add {unit}s." if fewest >= 2 else f"Add {unit}s: at least 2 of each label."
    raise SplitError(
        f"{settings.folds} folds need at least {settings.folds} {' and '.join(short)} {unit}s; found "
        + ", ".join(f"{label} {unit}s {number}" for label, number in found.items())
        + f". {way_out}"
    )


def balance_of(counts: pd.DataFrame, shares: NDArray[np.float64], *, subtypes_everywhere: bool = False) -> Balance:
    """Return what a good division into parts of the given shares is.

    Args:
        counts: of each group, from `group_counts`.
        shares: (parts,), the share of the images of each part.
        subtypes_everywhere: ask for each subtype in every part, or in the largest where it has a single group.
    """
    kinds = counts.columns.get_level_values(0)
    totals = counts.to_numpy().sum(axis=0)
    of_label, of_subtype = kinds == "label_cases", kinds == "subtype_cases"
    floors = np.zeros((len(shares), counts.shape[1]))
    floors[:, of_label] = np.maximum(1.0, np.floor(shares[:, None] * totals[of_label] + 1e-9))
    if subtypes_everywhere:
        floors[:, of_subtype & (totals >= 2)] = 1.0
        floors[np.argmax(shares), of_subtype & (totals == 1)] = 1.0
    return Balance(
        counts=counts.to_numpy(dtype=float),
        weights=np.array([_WEIGHTS.get(kind, _MAGNIFICATION_WEIGHT) for kind in kinds]),
        shares=shares,
        floors=floors,
        penalties=np.array([_PENALTIES.get(kind, 0.0) for kind in kinds]),
    )
