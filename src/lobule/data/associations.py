"""How well something that is no tissue predicts the label: what a classifier could cheat from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.taxonomy import LABELS

__all__ = ["ATTRIBUTES", "Association", "associations", "attributes_of", "is_clear"]

ATTRIBUTES = ("magnification", "size", "format")
"""What a manifest alone tells of an image beside its tissue."""

_ABSENT = "absent"
_UNKNOWN = "unknown"
_PERMUTATIONS = 200
_LEVEL = 0.99
_LEAST_ACCURACY = 0.6


@dataclass(frozen=True)
class Association:
    """How well one attribute alone predicts the label.

    Attributes:
        attributes: names of the attributes; several where they divide the images in the same way.
        values: number of different values.
        balanced_accuracy: of the rule "the label that has the larger share of its images at this value", each case
            predicted from all other cases; 0 to 1, 0.5 is guessing.
        by_chance: what 99 % of random permutations of the labels over the cases stay below.
    """

    attributes: tuple[str, ...]
    values: int
    balanced_accuracy: float
    by_chance: float


def attributes_of(frame: pd.DataFrame, traits: Sequence[Mapping[str, str] | None]) -> pd.DataFrame:
    """Return what is known of each image beside its tissue, a column of text an attribute.

    Args:
        frame: rows of a manifest.
        traits: of the file of each row; None where it was not opened.
    """
    size = frame["width"].map(str) + "x" + frame["height"].map(str)
    known = (
        frame["magnification"].map(str).astype(object).mask(frame["magnification"].isna()),
        size.mask(frame["width"] == 0),
        frame["path"].map(lambda path: PurePosixPath(path).suffix.lower().removeprefix(".")),
    )
    named = dict(zip(ATTRIBUTES, known, strict=True))
    names = sorted({name for item in traits if item is not None for name in item})
    for name in names:
        values = [_UNKNOWN if item is None else item.get(name) or _ABSENT for item in traits]
        named[name] = pd.Series(values, index=frame.index, dtype=object)
    return pd.DataFrame(named, index=frame.index).fillna(_UNKNOWN)


def associations(frame: pd.DataFrame, attributes: pd.DataFrame) -> Iterator[Association]:
    """Measure every attribute that has more than one value, the clearest first.

    Args:
        frame: rows of a manifest.
        attributes: as from `attributes_of`, for the same rows.
    """
    codes = {str(name): np.asarray(pd.factorize(column)[0]) for name, column in attributes.items()}
    same: dict[bytes, list[str]] = {}
    for name, code in codes.items():
        same.setdefault(code.tobytes(), []).append(name)
    found = [_association(frame, codes[names[0]], tuple(names)) for names in same.values() if codes[names[0]].any()]
    yield from sorted(found, key=lambda item: -item.balanced_accuracy)


def is_clear(association: Association) -> bool:
    """Return whether a classifier could gain much from the attribute: at least 0.6, and more than chance gives."""
    return association.balanced_accuracy >= _LEAST_ACCURACY and association.balanced_accuracy > association.by_chance


def _association(frame: pd.DataFrame, code: NDArray[np.int64], names: tuple[str, ...]) -> Association:
    # A case with images of both labels is two units: what is permuted must have one label.
    unit, units = pd.factorize(pd.MultiIndex.from_arrays([frame["case_id"], frame["label"]]))
    labels = np.array([LABELS.index(label) for _, label in units])
    random = np.random.default_rng(0)
    drawn = np.stack([labels, *(random.permutation(labels) for _ in range(_PERMUTATIONS))])
    measured, *shuffled = _held_out_accuracies(unit, code, drawn)
    return Association(names, int(code.max()) + 1, float(measured), float(np.quantile(shuffled, _LEVEL)))


def _held_out_accuracies(
    unit: NDArray[np.int64], value: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the balanced accuracy of the rule, with each unit left out of its own rule, for each drawing of labels.

    Args:
        unit: (images,), the unit that an image belongs to.
        value: (images,), the attribute's value.
        labels: (drawings, units), 0 or 1.
    """
    from scipy.sparse import coo_array

    if labels[0].min() == labels[0].max():
        return np.full(len(labels), 0.5)
    table = coo_array((np.ones(len(unit)), (unit, value))).tocsr()
    table.sum_duplicates()
    row, column = table.nonzero()
    is_one = labels[:, row] == 1
    ones_at, all_at = np.asarray(labels @ table)[:, column], table.sum(axis=0)[column]
    of_unit = table.sum(axis=1)
    ones = (labels @ of_unit)[:, None]
    own_at, own = np.where(is_one, ones_at, all_at - ones_at), np.where(is_one, ones, len(unit) - ones)
    rest = own - of_unit[row]
    own_share = np.divide(own_at - table.data, rest, out=np.zeros(rest.shape), where=rest > 0)
    other_share = (all_at - own_at) / (len(unit) - own)
    correct = np.where(np.isclose(own_share, other_share), 0.5, own_share > other_share)
    accuracies: NDArray[np.float64] = (table.data * correct / own).sum(axis=1) / 2
    # Sums in another order differ in the last digits, and a tie with chance must stay a tie.
    return accuracies.round(12)
