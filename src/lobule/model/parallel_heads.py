"""All heads of a task as one Keras model: the leading axis of every tensor goes over the K fits.

With the fits first, a layer is one batched matrix product, and so is its gradient; with the images first (where Keras
expects them) both are transposed again and again, which under TensorFlow on a processor costs a third of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lobule.features.keras_runtime import import_keras
from lobule.model.adam import penalised_adam
from lobule.model.head import Head
from lobule.model.loss import losses, weighted_mean
from lobule.model.member_layer import member_layer
from lobule.model.plan import Fit, sample_weights
from lobule.taxonomy import Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lobule.config import HeadSettings

__all__ = ["ParallelHeads", "TaskData"]


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


class ParallelHeads:
    """K heads that share training steps and nothing else.

    The hidden layer of a head is divided into M members. Each is trained to answer alone; the head is their mean, which
    is one dense layer again: the members' units side by side, their outputs divided by M.

    Args:
        data: features and targets.
        fits: which images each head is trained on.
        settings: sizes and rates.
        seed: decides first weights, dropout, order and views.
    """

    def __init__(self, data: TaskData, fits: Sequence[Fit], settings: HeadSettings, *, seed: int) -> None:
        self._keras = import_keras()
        self._keras.utils.set_random_seed(seed)
        self._random = np.random.default_rng(seed)
        self._data, self._fits, self._settings = data, fits, settings
        self._members = settings.members if settings.hidden else 1
        self._weights = np.stack([self._weights_of(fit) for fit in fits])
        self._rows = [np.flatnonzero(fit.train & (data.targets >= 0)) for fit in fits]
        self._mean = np.stack([data.features[:, rows].mean(axis=(0, 1)) for rows in self._rows])
        self._scale = np.stack([data.features[:, rows].std(axis=(0, 1)) for rows in self._rows])
        self._scale[self._scale < 1e-6] = 1.0
        self._targets = _one_hot(data.targets, data.task)
        self._model = self._build(seed)

    def run_epoch(self) -> None:
        """Show every training image once, in a view drawn at random."""
        for features, targets, weights in self._batches():
            self._model.train_on_batch(features, targets, sample_weight=weights)

    def heads(self) -> list[Head]:
        """Return the heads as they are now."""
        tensors = [np.array(tensor) for tensor in self._model.get_weights()]
        return [self._head(k, [tensor[k] for tensor in tensors]) for k in range(len(self._fits))]

    def watch(self, index: int, head: Head) -> tuple[float, float, float, float]:
        """Return how a fit's head does in the first view, without dropout.

        Returns:
            Weighted loss of training and of validation images, then their plain accuracies; nan where there are none.
        """
        fit = self._fits[index]
        errors, correct = losses(head.logits(self._data.features[0]), self._data.targets)
        train, validation = (part & (self._data.targets >= 0) for part in (fit.train, fit.validation))
        weights, ones = self._weights[index], np.ones(len(errors))
        return (
            weighted_mean(errors[train], weights[train]),
            weighted_mean(errors[validation], weights[validation]),
            weighted_mean(correct[train], ones[train]),
            weighted_mean(correct[validation], ones[validation]),
        )

    def _weights_of(self, fit: Fit) -> NDArray[np.float32]:
        settings = self._settings
        return sample_weights(
            self._data.targets,
            self._data.cases,
            fit.train,
            case_power=settings.case_weights,
            balanced=settings.class_weights == "balanced",
        )

    def _head(self, k: int, tensors: list[NDArray[np.float32]]) -> Head:
        """Put the members of one head together: their outputs are divided by their number."""
        *hidden, kernel, bias = tensors
        size, classes = self._mean.shape[1], kernel.shape[-1]
        output_kernel = kernel.reshape(-1, classes) / self._members
        return Head(
            self._data.task,
            self._mean[k],
            self._scale[k],
            hidden[0][0] if hidden else np.zeros((size, 0), np.float32),
            hidden[1][0] if hidden else np.zeros(0, np.float32),
            np.asarray(output_kernel, dtype=np.float32),
            bias.reshape(-1, classes).mean(axis=0),
        )

    def _batches(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
        """Yield features (K, B, D), targets (K, B, M, C), weights (K, B, M); short batches are padded by weight 0."""
        size = self._settings.batch_size
        steps = -(-max(len(rows) for rows in self._rows) // size)
        shares = [np.array_split(self._random.permutation(rows), steps) for rows in self._rows]
        for step in range(steps):
            chosen = np.zeros((len(self._fits), size), dtype=np.int64)
            weights = np.zeros((len(self._fits), size), dtype=np.float32)
            for k, share in enumerate(shares):
                chosen[k, : len(share[step])] = share[step]
                weights[k, : len(share[step])] = self._weights[k, share[step]]
            views = self._random.integers(len(self._data.features), size=chosen.shape)
            yield (
                self._show(views, chosen),
                np.repeat(self._targets[chosen][:, :, None], self._members, axis=2),
                np.repeat(weights[:, :, None], self._members, axis=2),
            )

    def _show(self, views: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the features of rows (K, B) in these views, standardised, with dropout: (K, B, D).

        Dropout takes two random bytes a number, a third of Keras' time. A kept number is divided by the standard
        deviation and by the share that is kept in one product.
        """
        rate = self._settings.input_dropout
        features = self._data.features[views, rows]
        features -= self._mean[:, None]
        features *= (1 / ((1 - rate) * self._scale))[:, None]
        if rate:
            features *= self._random.integers(0, 1 << 16, features.shape, dtype=np.uint16) >= round(rate * (1 << 16))
        return features

    def _build(self, seed: int) -> Any:
        keras, settings = self._keras, self._settings
        count, size, images = *self._mean.shape, settings.batch_size

        outputs = inputs = keras.Input(batch_shape=(count, images, size))
        if settings.hidden:
            outputs = member_layer(count, 1, size, settings.hidden, activation="relu", seed=seed)(outputs)
            outputs = keras.layers.Dropout(settings.dropout, seed=seed + 1)(outputs)
        classes = self._targets.shape[1]
        taken = settings.hidden // self._members or size
        outputs = member_layer(count, self._members, taken, classes, activation=None, seed=seed)(outputs)
        outputs = keras.layers.Reshape((images, self._members, classes))(outputs)
        model = keras.Model(inputs, outputs)
        crossentropy = "BinaryCrossentropy" if self._data.task == "binary" else "CategoricalCrossentropy"
        loss = getattr(keras.losses, crossentropy)(from_logits=True)
        # Keras averages the loss over heads and members; the penalty is averaged likewise.
        optimizer = penalised_adam(settings.learning_rate, l2=settings.l2 / (count * self._members))
        model.compile(optimizer=optimizer, loss=loss)
        return model


def _one_hot(targets: NDArray[np.int64], task: Task) -> NDArray[np.float32]:
    """Return (n, 1) for the binary task, (n, 8) for subtypes; rows of unknown class are never drawn."""
    if task == "binary":
        return targets[:, None].astype(np.float32)
    return np.eye(len(classes_of(task)), dtype=np.float32)[targets]
