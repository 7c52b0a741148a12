"""Two sets of predictions, put side by side: the images that both have scored, unit by unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.config import DecisionSettings
from lobule.evaluation.decision.decide import decide
from lobule.evaluation.decision.operating import Decisions
from lobule.evaluation.intervals import case_multiplicities
from lobule.evaluation.levels import Images, Level, Units, images_of, rows_of, units_of
from lobule.evaluation.predictions import Predictions, Protocol
from lobule.taxonomy import Task

__all__ = ["CaseDraws", "Model", "Pair", "pair_images"]

_WEIGHTS_AT_ONCE: Final = 250_000


@dataclass(frozen=True, eq=False)
class Model:
    """What one of the two predicted, and what its rows are decided with."""

    predictions: Predictions
    decisions: Decisions

    @classmethod
    def of(cls, predictions: Predictions, settings: DecisionSettings) -> Model:
        """Return predictions as `evaluate` decides them, all of them, whichever are compared."""
        return cls(predictions, decide(predictions, settings))


@dataclass(frozen=True, eq=False)
class Pair:
    """The images of one protocol and task that both predictions have scored, sorted by image id.

    Attributes:
        task: what is predicted.
        a: n images of the first predictions.
        b: the same n images, with the same cases and truths, of the second.
        case_names: shape (n,), `case_id` of each image.
        malignant: shape (n,), whether each image is malignant.
        only_a: images that only the first has scored.
        only_b: images that only the second has scored.
        same_folds: whether the same images were held out together in both.
        conflict: in words, how the two disagree on what an image is; empty where they agree.
    """

    task: Task
    a: Images
    b: Images
    case_names: NDArray[np.object_]
    malignant: NDArray[np.bool_]
    only_a: int
    only_b: int
    same_folds: bool
    conflict: str

    def __len__(self) -> int:
        return len(self.case_names)

    def units(self, level: Level) -> tuple[Units, Units]:
        """Return the units of both, in the same order and of the same cases."""
        return units_of(self.a, level), units_of(self.b, level)


def pair_images(a: Model, b: Model, task: Task, protocol: Protocol) -> Pair:
    """Match the scored images of two models by image id; there may be none.

    Raises:
        DataError: an image that can be scored has no case.
    """
    rows_a, rows_b = _scored_rows(a, task, protocol), _scored_rows(b, task, protocol)
    in_b, in_a = (own["image_id"].isin(other["image_id"]).to_numpy() for own, other in _both_ways(rows_a, rows_b))
    both_a, both_b = rows_a[in_b].reset_index(drop=True), rows_b[in_a].reset_index(drop=True)
    return Pair(
        task=task,
        a=images_of(a.predictions, task, protocol, decisions=a.decisions).where(in_b),
        b=images_of(b.predictions, task, protocol, decisions=b.decisions).where(in_a),
        case_names=both_a["case_id"].to_numpy(dtype=object),
        malignant=both_a["label"].eq("malignant").to_numpy(dtype=bool),
        only_a=int((~in_b).sum()),
        only_b=int((~in_a).sum()),
        same_folds=_same_partition(both_a["fold"], both_b["fold"]),
        conflict=_difference(both_a, both_b, "label" if task == "binary" else "subtype")
        or _difference(both_a, both_b, "case_id"),
    )


class CaseDraws:
    """The same cases drawn again and again, for every task and level of a pair of predictions."""

    def __init__(self, pairs: Sequence[Pair], *, replicates: int, seed: int) -> None:
        """Gather the cases of all pairs.

        Args:
            pairs: tasks of one protocol.
            replicates: how many times all cases are drawn.
            seed: fixes the draws.
        """
        names = np.concatenate([np.empty(0, object), *(pair.case_names for pair in pairs)])
        self._case, self._names = pd.factorize(names)
        self._malignant = np.concatenate([np.empty(0, bool), *(pair.malignant for pair in pairs)])
        self._settings = {"replicates": replicates, "seed": seed}
        self._block = max(1, _WEIGHTS_AT_ONCE // max([1, *(len(pair) for pair in pairs)]))

    def of(self, pair: Pair) -> Iterator[NDArray[np.float64]]:
        """Yield how often each case of a pair was drawn, shape (a few replicates, cases of the pair).

        Replicate r is the same draw for every pair, so that differences of different metrics can be judged together.
        """
        columns = pd.Index(self._names).get_indexer(pd.Index(pd.unique(pair.case_names)))
        drawn = case_multiplicities(self._case, self._malignant, block=self._block, **self._settings)
        for multiplicity in drawn:
            yield multiplicity[:, columns]


def _scored_rows(model: Model, task: Task, protocol: Protocol) -> pd.DataFrame:
    """Return the rows that `images_of` returns, in its order."""
    rows = rows_of(model.predictions, task, protocol)
    columns = ["image_id", "case_id", "label", "subtype", "fold"]
    return model.predictions.frame[columns].iloc[rows].reset_index(drop=True)


def _both_ways(a: pd.DataFrame, b: pd.DataFrame) -> tuple[tuple[pd.DataFrame, pd.DataFrame], ...]:
    return (a, b), (b, a)


def _difference(a: pd.DataFrame, b: pd.DataFrame, column: str) -> str:
    """Say where the same images carry different cells; nothing where they are equal."""
    differs = np.flatnonzero((a[column] != b[column]).to_numpy())
    if not differs.size:
        return ""
    first = int(differs[0])
    return (
        f"column {column} differs for {differs.size} of the {len(a)} images that both have, e.g. "
        f"{a['image_id'][first]!r} is {a[column][first]!r} in the first and {b[column][first]!r} in the second"
    )


def _same_partition(a: pd.Series[int], b: pd.Series[int]) -> bool:
    """Tell whether two fold columns divide the images alike, whatever their numbers."""
    numbered = [pd.factorize(column.astype(object).where(column.notna(), -1))[0] for column in (a, b)]
    return bool((numbered[0] == numbered[1]).all())
