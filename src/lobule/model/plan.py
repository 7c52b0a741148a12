"""Which images each training sees: one fit a fold, one for the holdout, one on everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lobule.taxonomy import TASKS, Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Fit", "Protocol", "plan_fits", "sample_weights", "targets_of", "trainable_tasks"]

Protocol = Literal["folds", "holdout", "final"]


@dataclass(frozen=True, eq=False)
class Fit:
    """One training.

    Attributes:
        protocol: what it is for; `final` is the model that is shipped.
        fold: index of the fold that is left out; -1 outside the protocol `folds`.
        train: (n,) images that are trained on.
        validation: (n,) images that are only watched; none for `final`.
    """

    protocol: Protocol
    fold: int
    train: NDArray[np.bool_]
    validation: NDArray[np.bool_]


def plan_fits(fold_of: NDArray[np.int64], in_validation: NDArray[np.bool_]) -> list[Fit]:
    """Return the fits of a run: every fold, the holdout and the final model, in this order.

    Args:
        fold_of: (n,) fold of each image.
        in_validation: (n,) whether an image is in the validation part of the holdout.
    """
    folds = [Fit("folds", fold, fold_of != fold, fold_of == fold) for fold in range(int(fold_of.max()) + 1)]
    everything = np.ones(len(fold_of), dtype=bool)
    return [*folds, Fit("holdout", -1, ~in_validation, in_validation), Fit("final", -1, everything, ~everything)]


def sample_weights(
    targets: NDArray[np.int64],
    cases: NDArray[np.str_],
    train: NDArray[np.bool_],
    *,
    case_power: float,
    balanced: bool,
) -> NDArray[np.float32]:
    """Return the weight of each image in the loss, (n,); the mean over the training images is 1.

    An image weighs (images of its case and class) ** -case_power, so that a case of 100 images does not count as
    a hundred cases of one; then the classes are given equal sums over the training images.

    Args:
        targets: (n,) class index; -1 where the class is unknown, weight 0.
        cases: (n,) case of each image.
        train: (n,) images that are trained on.
        case_power: 0 (images count the same) to 1 (cases count the same).
        balanced: whether the classes are given equal sums.
    """
    known = targets >= 0
    _, case = np.unique(cases, return_inverse=True)
    group = case * (int(targets.max()) + 2) + targets + 1
    weights = np.where(known, np.bincount(group)[group].astype(float) ** -case_power, 0.0)
    chosen = train & known
    if balanced:
        sums = np.bincount(targets[chosen], weights=weights[chosen], minlength=int(targets.max()) + 1)
        weights *= np.where(known, (1 / np.maximum(sums, 1e-12) * (sums > 0))[targets], 0.0)
    return np.asarray(weights / weights[chosen].mean(), dtype=np.float32)


def targets_of(frame: pd.DataFrame, task: Task) -> NDArray[np.int64]:
    """Return the class index of each manifest row, (n,); -1 where the class is not known."""
    column = frame["label" if task == "binary" else "subtype"]
    index = {name: position for position, name in enumerate(classes_of(task))}
    return np.array([index.get(name, -1) for name in column], dtype=np.int64)


def trainable_tasks(frame: pd.DataFrame, fits: Sequence[Fit] = ()) -> tuple[Task, ...]:
    """Return the tasks that at least two classes of images are there for, and an image for every fit to train on."""
    targets = {task: targets_of(frame, task) for task in TASKS}
    return tuple(
        task
        for task, known in targets.items()
        if len(set(known) - {-1}) >= 2 and all((known[fit.train] >= 0).any() for fit in fits)
    )
