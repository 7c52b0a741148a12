"""Training the heads of a task: folds, holdout and final model in one job, the number of epochs chosen over folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lobule.evaluation.columns import HISTORY_COLUMNS
from lobule.model.parallel_heads import ParallelHeads, TaskData
from lobule.model.side_by_side import side_by_side
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from lobule.config import HeadSettings
    from lobule.model.head import Head
    from lobule.model.plan import Fit
    from lobule.taxonomy import Task

__all__ = ["TrainedTask", "Training", "choose_epochs", "mean_logits", "train_for", "train_task", "train_tasks"]


@dataclass(frozen=True, eq=False)
class TrainedTask:
    """What training a task gives.

    Attributes:
        task: which task.
        heads: the head of each fit at its chosen epoch, in the order of the fits.
        epochs: the chosen number of epochs of each fit, from 1.
        history: the columns `HISTORY_COLUMNS`, every fit and epoch.
    """

    task: Task
    heads: tuple[Head, ...]
    epochs: tuple[int, ...]
    history: pd.DataFrame


def train_task(
    data: TaskData,
    fits: Sequence[Fit],
    settings: HeadSettings,
    *,
    seed: int,
    progress: Progress = silent,
    on_epoch: Callable[[int, list[Head]], None] | None = None,
) -> TrainedTask:
    """Train one head a fit, all in one job, and choose the number of epochs over the folds.

    Every fit has its own weights, batches, dropout masks and training statistics; they only share the steps.
    In each epoch each training image is seen once, in a view drawn at random.

    Args:
        data: features and targets.
        fits: which images each fit trains on.
        settings: sizes and rates.
        seed: the same seed gives the same heads on the same machine.
        progress: told the epoch.
        on_epoch: called with the number of epochs so far and the heads, for those who watch more than the losses.
    """
    tell = None if on_epoch is None else lambda _, epoch, heads: on_epoch(epoch, heads)
    return train_tasks([data], fits, settings, seed=seed, progress=progress, on_epoch=tell)[0]


def train_tasks(
    tasks: Sequence[TaskData],
    fits: Sequence[Fit],
    settings: HeadSettings,
    *,
    seed: int,
    progress: Progress = silent,
    on_epoch: Callable[[Task, int, list[Head]], None] | None = None,
) -> list[TrainedTask]:
    """Train the heads of several tasks side by side, each as `train_task` would.

    One task does not keep two cores busy: its batches are drawn in one thread, and the steps wait for them.

    Args:
        tasks: features and targets of each task.
        fits: which images each fit trains on.
        settings: sizes and rates.
        seed: the same seed gives the same heads on the same machine, whatever is trained beside them.
        progress: told the epoch of each task.
        on_epoch: called with the task, the number of epochs so far and the heads.
    """
    courses = [_Course(data, fits, settings, seed=seed) for data in tasks]
    with side_by_side(len(courses)) as pool:
        for epoch in range(1, settings.max_epochs + 1):
            for course, heads in zip(courses, pool.map(_Course.advance, courses), strict=True):
                if on_epoch:
                    on_epoch(course.task, epoch, heads)
                progress(f"train {course.task} heads", epoch, settings.max_epochs)
    return [course.result() for course in courses]


@dataclass(frozen=True, eq=False)
class Training:
    """A training of a given length, of which nothing is watched.

    Attributes:
        data: features and targets.
        fits: which images each fit trains on.
        epochs: number of epochs, at least 1.
    """

    data: TaskData
    fits: Sequence[Fit]
    epochs: int


def train_for(trainings: Sequence[Training], settings: HeadSettings, *, seed: int) -> list[tuple[Head, ...]]:
    """Train side by side; the heads of each are those that `train_task` has after that number of epochs.

    Args:
        trainings: what is trained on what, and how long.
        settings: sizes and rates; `max_epochs` has no say.
        seed: as for `train_task`.
    """
    jobs = [ParallelHeads(each.data, each.fits, settings, seed=seed) for each in trainings]

    def run(job: ParallelHeads, training: Training) -> tuple[Head, ...]:
        for _ in range(training.epochs):
            job.run_epoch()
        return tuple(job.heads())

    with side_by_side(len(jobs)) as pool:
        return list(pool.map(run, jobs, trainings))


class _Course:
    """One task's heads, epoch by epoch."""

    def __init__(self, data: TaskData, fits: Sequence[Fit], settings: HeadSettings, *, seed: int) -> None:
        self.task = data.task
        self._fits = fits
        self._job = ParallelHeads(data, fits, settings, seed=seed)
        self._snapshots: list[list[Head]] = []
        self._rows: list[tuple[object, ...]] = []

    def advance(self) -> list[Head]:
        """Train for one more epoch and look at the losses; return the heads."""
        self._job.run_epoch()
        heads = self._job.heads()
        self._snapshots.append(heads)
        self._rows += [
            (self.task, fit.protocol, fit.fold, len(self._snapshots), *self._job.watch(index, heads[index]))
            for index, fit in enumerate(self._fits)
        ]
        return heads

    def result(self) -> TrainedTask:
        history = pd.DataFrame(self._rows, columns=list(HISTORY_COLUMNS))
        epochs = choose_epochs(history, self._fits)
        chosen = tuple(self._snapshots[epoch - 1][index] for index, epoch in enumerate(epochs))
        return TrainedTask(self.task, chosen, epochs, history)


def choose_epochs(history: pd.DataFrame, fits: Sequence[Fit]) -> tuple[int, ...]:
    """Return the number of epochs of each fit.

    The best epoch of a fold is the one of its lowest validation loss. The final model and the holdout use the
    median over the folds; a fold uses the median over the *other* folds, so that no image helps to choose the
    epoch at which it is itself predicted.
    """
    best = {}
    for fold in sorted({fit.fold for fit in fits if fit.protocol == "folds"}):
        losses = history.loc[(history["protocol"] == "folds") & (history["fold"] == fold), "validation_loss"]
        if losses.notna().any():
            best[fold] = 1 + int(np.nanargmin(losses.to_numpy()))

    def median_without(fold: int) -> int:
        others = [epoch for key, epoch in best.items() if key != fold]
        return round(float(np.median(others))) if others else int(history["epoch"].max())

    return tuple(median_without(fit.fold) for fit in fits)


def mean_logits(head: Head, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return logits (n, C) of features (V, n, D), averaged over the views."""
    return np.asarray(head.logits(features).mean(axis=0), dtype=np.float32)
