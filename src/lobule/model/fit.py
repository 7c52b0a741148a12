"""Training all heads of a task at once: the folds, the holdout and the final model are one Keras job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lobule.features.keras_runtime import import_keras
from lobule.model.head import Head
from lobule.model.loss import losses, weighted_mean
from lobule.model.plan import Fit, sample_weights
from lobule.progress import Progress, silent
from lobule.taxonomy import Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from lobule.config import HeadSettings

__all__ = ["HISTORY_COLUMNS", "TaskData", "TrainedTask", "choose_epochs", "mean_logits", "train_task"]

HISTORY_COLUMNS = (
    "task",
    "protocol",
    "fold",
    "epoch",
    "train_loss",
    "validation_loss",
    "train_accuracy",
    "validation_accuracy",
)


@dataclass(frozen=True, eq=False)
class TaskData:
    """What a task is trained on; V views, n images, D features.

    Attributes:
        task: which task.
        features: (V, n, D).
        targets: (n,) class index in `classes_of(task)`; -1 where it is unknown.
        cases: (n,) case of each image.
    """

    task: Task
    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    cases: NDArray[np.str_]


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
    job = _Job(data, fits, settings, seed)
    snapshots, rows = [], []
    for epoch in range(1, settings.max_epochs + 1):
        job.run_epoch()
        heads = job.heads()
        snapshots.append(heads)
        rows += [job.watch(index, head, epoch) for index, head in enumerate(heads)]
        if on_epoch:
            on_epoch(epoch, heads)
        progress(f"train {data.task} heads", epoch, settings.max_epochs)
    history = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    epochs = choose_epochs(history, fits)
    chosen = tuple(snapshots[epoch - 1][index] for index, epoch in enumerate(epochs))
    return TrainedTask(data.task, chosen, epochs, history)


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


class _Job:
    """Keras state of the joint training: K heads as one model whose kernels have a leading axis K."""

    def __init__(self, data: TaskData, fits: Sequence[Fit], settings: HeadSettings, seed: int) -> None:
        self._keras = import_keras()
        self._keras.utils.set_random_seed(seed)
        self._random = np.random.default_rng(seed)
        self._data, self._fits, self._settings = data, fits, settings
        known = data.targets >= 0
        self._rows = [np.flatnonzero(fit.train & known) for fit in fits]
        self._weights = np.stack(
            [
                sample_weights(
                    data.targets,
                    data.cases,
                    fit.train,
                    case_power=settings.case_weights,
                    balanced=settings.class_weights == "balanced",
                )
                for fit in fits
            ]
        )
        self._mean = np.stack([data.features[:, rows].mean(axis=(0, 1)) for rows in self._rows])
        self._scale = np.stack([data.features[:, rows].std(axis=(0, 1)) for rows in self._rows])
        self._scale[self._scale < 1e-6] = 1.0
        self._targets = _one_hot(data.targets, data.task)
        self._model = self._build(seed)

    def run_epoch(self) -> None:
        for features, targets, weights in self._batches():
            self._model.train_on_batch(features, targets, sample_weight=weights)

    def heads(self) -> list[Head]:
        """Return the heads as they are now."""
        tensors = [np.array(tensor) for tensor in self._model.get_weights()]
        count, size = self._mean.shape
        if not self._settings.hidden:
            tensors = [np.zeros((count, size, 0), np.float32), np.zeros((count, 0), np.float32), *tensors]
        return [
            Head(self._data.task, self._mean[k], self._scale[k], *(tensor[k] for tensor in tensors))
            for k in range(count)
        ]

    def watch(self, index: int, head: Head, epoch: int) -> tuple[Any, ...]:
        """Return the history row of a fit: weighted loss and plain accuracy in the first view, without dropout."""
        fit = self._fits[index]
        errors, correct = losses(head.logits(self._data.features[0]), self._data.targets)
        row: list[Any] = [self._data.task, fit.protocol, fit.fold, epoch]
        parts = [part & (self._data.targets >= 0) for part in (fit.train, fit.validation)]
        row += [weighted_mean(errors[part], self._weights[index, part]) for part in parts]
        row += [weighted_mean(correct[part], np.ones(int(part.sum()))) for part in parts]
        return tuple(row)

    def _batches(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
        """Yield features (B, K, D), targets (B, K, C) and weights (B, K); short batches are padded by weight 0."""
        size, views = self._settings.batch_size, len(self._data.features)
        steps = -(-max(len(rows) for rows in self._rows) // size)
        shares = [np.array_split(self._random.permutation(rows), steps) for rows in self._rows]
        for step in range(steps):
            chosen = np.zeros((size, len(self._fits)), dtype=np.int64)
            weights = np.zeros((size, len(self._fits)), dtype=np.float32)
            for k, share in enumerate(shares):
                chosen[: len(share[step]), k] = share[step]
                weights[: len(share[step]), k] = self._weights[k, share[step]]
            features = self._data.features[self._random.integers(views, size=chosen.shape), chosen]
            yield (features - self._mean) / self._scale, self._targets[chosen], weights

    def _build(self, seed: int) -> Any:
        keras, settings = self._keras, self._settings
        count, size = self._mean.shape
        # Keras averages the loss over the K heads; the penalty is averaged likewise.
        penalty = keras.regularizers.L2(settings.l2 / count)

        def dense(equation: str, inputs: int, units: int, activation: str | None) -> Any:
            return keras.layers.EinsumDense(
                equation,
                output_shape=(count, units),
                bias_axes=equation[-2:],
                activation=activation,
                kernel_regularizer=penalty,
                kernel_initializer=keras.initializers.RandomNormal(stddev=(2 / inputs) ** 0.5, seed=seed),
            )

        outputs = inputs = keras.Input((count, size))
        if settings.input_dropout:
            outputs = keras.layers.Dropout(settings.input_dropout, seed=seed)(outputs)
        if settings.hidden:
            outputs = dense("bkd,kdh->bkh", size, settings.hidden, "relu")(outputs)
            outputs = keras.layers.Dropout(settings.dropout, seed=seed + 1)(outputs)
        outputs = dense("bkh,khc->bkc", settings.hidden or size, self._targets.shape[1], None)(outputs)
        model = keras.Model(inputs, outputs)
        crossentropy = "BinaryCrossentropy" if self._data.task == "binary" else "CategoricalCrossentropy"
        loss = getattr(keras.losses, crossentropy)(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(settings.learning_rate), loss=loss)
        return model


def _one_hot(targets: NDArray[np.int64], task: Task) -> NDArray[np.float32]:
    """Return (n, 1) for the binary task, (n, 8) for subtypes; rows of unknown class are never drawn."""
    if task == "binary":
        return targets[:, None].astype(np.float32)
    return np.eye(len(classes_of(task)), dtype=np.float32)[targets]
