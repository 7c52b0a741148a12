"""Training the heads of a task: folds, holdout and final model in one job, the number of epochs chosen over folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lobule.evaluation.columns import HISTORY_COLUMNS
from lobule.model.parallel_heads import ParallelHeads, TaskData
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from lobule.config import HeadSettings
    from lobule.model.head import Head
    from lobule.model.plan import Fit
    from lobule.taxonomy import Task

__all__ = ["TrainedTask", "choose_epochs", "mean_logits", "train_for", "train_task"]


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
    job = ParallelHeads(data, fits, settings, seed=seed)
    snapshots, rows = [], []
    for epoch in range(1, settings.max_epochs + 1):
        job.run_epoch()
        heads = job.heads()
        snapshots.append(heads)
        rows += [
            (data.task, fit.protocol, fit.fold, epoch, *job.watch(index, heads[index]))
            for index, fit in enumerate(fits)
        ]
        if on_epoch:
            on_epoch(epoch, heads)
        progress(f"train {data.task} heads", epoch, settings.max_epochs)
    history = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    epochs = choose_epochs(history, fits)
    chosen = tuple(snapshots[epoch - 1][index] for index, epoch in enumerate(epochs))
    return TrainedTask(data.task, chosen, epochs, history)


def train_for(
    data: TaskData, fits: Sequence[Fit], settings: HeadSettings, *, epochs: int, seed: int
) -> tuple[Head, ...]:
    """Train one head a fit for a given number of epochs: those of `train_task` at that epoch, but nothing is watched.

    Args:
        data: features and targets.
        fits: which images each fit trains on.
        settings: sizes and rates; `max_epochs` has no say.
        epochs: number of epochs, at least 1.
        seed: as for `train_task`.
    """
    job = ParallelHeads(data, fits, settings, seed=seed)
    for _ in range(epochs):
        job.run_epoch()
    return tuple(job.heads())


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
