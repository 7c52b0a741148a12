"""Folds within folds: for every outer fit, what its search may train on and look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lobule.errors import SplitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lobule.model.plan import Fit

__all__ = ["InnerFit", "Nested", "Part", "plan_nested"]

_FEWEST_FOLDS: Final = 2


@dataclass(frozen=True, eq=False)
class InnerFit:
    """One training of a configuration.

    Attributes:
        train: (n,) images that are trained on.
        watch: (n,) images that are looked at afterwards, by one outer fit or by two.
    """

    train: NDArray[np.bool_]
    watch: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Part:
    """An outer fit with its inner folds.

    Attributes:
        name: `fold 1`, ..., `holdout` or `final`.
        fit: what is trained with the configuration that its search chooses, and what is held out meanwhile.
        folds: index of an inner fit, and the images (n,) of `fit.train` that it holds out.
    """

    name: str
    fit: Fit
    folds: tuple[tuple[int, NDArray[np.bool_]], ...]


@dataclass(frozen=True, eq=False)
class Nested:
    """All parts, and the inner fits that they share."""

    parts: tuple[Part, ...]
    inner: tuple[InnerFit, ...]


def plan_nested(fits: Sequence[Fit], fold_of: NDArray[np.int64], targets: NDArray[np.int64]) -> Nested:
    """Divide the training images of every outer fit by the folds that they lie in.

    The inner folds of a fold are thus the other folds, so that no case stands on both sides of any of them. A training
    without the folds k and j serves twice: what it says of j belongs to the search of k, what it says of k to that of
    j; five folds need ten trainings, not twenty.

    Args:
        fits: the outer fits: folds, holdout, final.
        fold_of: (n,) fold of each image.
        targets: (n,) class of each image in the binary task; -1 where it is unknown.

    Raises:
        SplitError: an outer fit has fewer than two inner folds that can be trained and looked at.
    """
    inner: dict[bytes, int] = {}
    trained: list[NDArray[np.bool_]] = []
    watched: list[NDArray[np.bool_]] = []
    parts = []
    for fit in fits:
        folds = []
        for fold in range(int(fold_of.max()) + 1):
            train, watch = fit.train & (fold_of != fold), fit.train & (fold_of == fold)
            if not (watch & (targets >= 0)).any() or len(set(targets[train]) - {-1}) < 2:
                continue
            index = inner.setdefault(train.tobytes(), len(trained))
            if index == len(trained):
                trained.append(train)
                watched.append(np.zeros(len(fold_of), dtype=bool))
            watched[index] |= watch
            folds.append((index, watch))
        parts.append(Part(_name(fit), fit, tuple(folds)))
        _check(parts[-1], targets)
    return Nested(tuple(parts), tuple(InnerFit(*masks) for masks in zip(trained, watched, strict=True)))


def _name(fit: Fit) -> str:
    return f"fold {fit.fold + 1}" if fit.protocol == "folds" else fit.protocol


def _check(part: Part, targets: NDArray[np.int64]) -> None:
    seen = {int(target) for _, watch in part.folds for target in targets[watch]} - {-1}
    if len(part.folds) < _FEWEST_FOLDS or len(seen) < 2:
        raise SplitError(
            f"sweep: the search of {part.name} has {len(part.folds)} inner folds with images of both labels to train "
            f"on, and needs {_FEWEST_FOLDS}; use --folds 3 or more, or add cases."
        )
