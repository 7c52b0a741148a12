"""One head of the binary task, trained as `lobule.model.parallel_heads` does, in numpy.

A search trains thousands of heads of many shapes, each a few dozen steps long. As a Keras model, a head of a new shape
costs a second before its first step, and heads that are trained in one model share their random numbers, so that a
head would depend on what is trained beside it. Here a head depends on its images, settings and seed alone, and as many
are trained at once as there are cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lobule.model.plan import sample_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lobule.config import HeadSettings
    from lobule.model.parallel_heads import TaskData
    from lobule.sweep.nested import InnerFit

    Array = NDArray[np.float32]

__all__ = ["HeadTraining", "watched_logits"]

_BETA_1: Final = 0.9
_BETA_2: Final = 0.999
_EPSILON: Final = 1e-7
_SMALLEST_SCALE: Final = 1e-6
_LEVELS: Final = 1 << 16


def watched_logits(data: TaskData, fit: InnerFit, settings: HeadSettings, *, epochs: int, seed: int) -> Array:
    """Train a head and return what it says of the images that are watched, after every epoch.

    Args:
        data: of the binary task.
        fit: what is trained on and looked at.
        settings: sizes and rates; `max_epochs` has no say.
        epochs: number of epochs, at least 1.
        seed: the same seed gives the same head.

    Returns:
        (epochs, n_watch) logits of malignancy, averaged over the views; not finite where the training diverged.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _watched(data, fit, settings, epochs=epochs, seed=seed)


def _watched(data: TaskData, fit: InnerFit, settings: HeadSettings, *, epochs: int, seed: int) -> Array:
    training = HeadTraining(data, fit.train, settings, seed=seed)
    shown = training.standardised(data.features[:, fit.watch])
    said = np.empty((epochs, shown.shape[1]), dtype=np.float32)
    for epoch in range(epochs):
        training.run_epoch()
        said[epoch] = training.logits(shown).mean(axis=0)
    return said


@dataclass(frozen=True, eq=False)
class _Variable:
    """A tensor with its gradient, the moments of Adam, and room to compute in."""

    value: Array
    gradient: Array
    first: Array
    second: Array
    room: Array

    @classmethod
    def of(cls, value: Array) -> _Variable:
        value = np.ascontiguousarray(value, dtype=np.float32)
        return cls(value, *(np.zeros_like(value) for _ in range(4)))

    def update(self, rate: float, penalty: float) -> None:
        """Take a step of Adam; every pass writes into memory that is there."""
        gradient, room = self.gradient, self.room
        if penalty:
            np.multiply(self.value, np.float32(2 * penalty), out=room)
            np.add(gradient, room, out=gradient)
        np.multiply(self.first, np.float32(_BETA_1), out=self.first)
        np.multiply(gradient, np.float32(1 - _BETA_1), out=room)
        np.add(self.first, room, out=self.first)
        np.multiply(self.second, np.float32(_BETA_2), out=self.second)
        np.multiply(gradient, gradient, out=room)
        np.multiply(room, np.float32(1 - _BETA_2), out=room)
        np.add(self.second, room, out=self.second)
        np.sqrt(self.second, out=room)
        np.add(room, np.float32(_EPSILON), out=room)
        np.divide(self.first, room, out=room)
        np.multiply(room, np.float32(rate), out=room)
        np.subtract(self.value, room, out=self.value)


class HeadTraining:
    """A head in training: D features, M members of U units each; without a hidden layer one member of D units.

    Args:
        data: of the binary task.
        train: (n,) images that are trained on; those of unknown class are left out.
        settings: sizes and rates.
        seed: decides first weights, dropout, order and views.
    """

    def __init__(self, data: TaskData, train: NDArray[np.bool_], settings: HeadSettings, *, seed: int) -> None:
        self._random = np.random.Generator(np.random.SFC64(seed))
        self._settings = settings
        rows = np.flatnonzero(train & (data.targets >= 0))
        known = data.features[:, rows]
        self._mean, self._scale = known.mean(axis=(0, 1)), known.std(axis=(0, 1))
        self._scale[self._scale < _SMALLEST_SCALE] = 1.0
        self._features = self.standardised(known)
        self._targets = data.targets[rows].astype(np.float32)
        weights = sample_weights(
            data.targets,
            data.cases,
            train,
            case_power=settings.case_weights,
            balanced=settings.class_weights == "balanced",
        )
        self._weights = weights[rows]
        self._members = settings.members if settings.hidden else 1
        self._steps = 0
        self._set_first_weights(known.shape[2])

    def _set_first_weights(self, size: int) -> None:
        hidden = self._settings.hidden
        units = hidden // self._members if hidden else size
        self.hidden_kernel = _Variable.of(self._normal((size, hidden), size))
        self.hidden_bias = _Variable.of(np.zeros(hidden, dtype=np.float32))
        self.output_kernel = _Variable.of(self._normal((self._members, units), units))
        self.output_bias = _Variable.of(np.zeros(self._members, dtype=np.float32))

    def _normal(self, shape: tuple[int, ...], inputs: int) -> Array:
        deviation = np.float32((2 / inputs) ** 0.5)
        return deviation * self._random.standard_normal(shape, dtype=np.float32)

    def standardised(self, features: Array) -> Array:
        """Return features (V, n, D) standardised by the training images."""
        return np.asarray((features - self._mean) / self._scale, dtype=np.float32)

    def logits(self, standardised: Array) -> Array:
        """Return the logits (V, n) of standardised features (V, n, D), without dropout."""
        if self._settings.hidden:
            hidden = standardised @ self.hidden_kernel.value
            hidden += self.hidden_bias.value
            np.maximum(hidden, 0, out=hidden)
            standardised = hidden
        kernel = self.output_kernel.value.reshape(-1) / np.float32(self._members)
        return np.asarray(standardised @ kernel + self.output_bias.value.mean(), dtype=np.float32)

    def run_epoch(self) -> None:
        """Show every training image once, in a view drawn at random."""
        count = len(self._targets)
        order = self._random.permutation(count)
        views = self._random.integers(len(self._features), size=count)
        for rows in np.array_split(order, -(-count // self._settings.batch_size)):
            self._step(self._features[views[rows], rows], rows)

    def _step(self, features: Array, rows: NDArray[np.int64]) -> None:
        settings = self._settings
        self._drop(features, settings.input_dropout)
        hidden, kept = features, None
        if settings.hidden:
            hidden = features @ self.hidden_kernel.value
            hidden += self.hidden_bias.value
            np.maximum(hidden, 0, out=hidden)
            kept = self._drop(hidden, settings.dropout)
        by_member = hidden.reshape(len(rows), self._members, -1)
        kernel = self.output_kernel.value
        logits = np.einsum("bmu,mu->bm", by_member, kernel) + self.output_bias.value
        # Keras averages the loss over a batch of the full size and over the members, whatever the batch holds.
        weights = self._weights[rows] / np.float32(settings.batch_size * self._members)
        error = (_sigmoid(logits) - self._targets[rows, None]) * weights[:, None]
        np.einsum("bm,bmu->mu", error, by_member, out=self.output_kernel.gradient)
        np.sum(error, axis=0, out=self.output_bias.gradient)
        if settings.hidden:
            back = (error[:, :, None] * kernel).reshape(hidden.shape)
            back *= hidden > 0
            if kept is not None:
                back *= np.float32(1 / (1 - settings.dropout))
            np.matmul(features.T, back, out=self.hidden_kernel.gradient)
            np.sum(back, axis=0, out=self.hidden_bias.gradient)
        self._update()

    def _drop(self, values: Array, rate: float) -> NDArray[np.bool_] | None:
        """Set a share of the values to zero, in place, and divide the others by the share that is kept."""
        if not rate:
            return None
        count = values.size
        bits = self._random.bit_generator.random_raw(-(-count // 4)).view(np.uint16)[:count]
        kept = (bits >= round(rate * _LEVELS)).reshape(values.shape)
        values *= kept
        values *= np.float32(1 / (1 - rate))
        return kept

    def _update(self) -> None:
        self._steps += 1
        correction = (1 - _BETA_2**self._steps) ** 0.5 / (1 - _BETA_1**self._steps)
        rate = self._settings.learning_rate * correction
        penalty = self._settings.l2 / self._members
        self.output_kernel.update(rate, penalty)
        self.output_bias.update(rate, 0.0)
        if self._settings.hidden:
            self.hidden_kernel.update(rate, penalty)
            self.hidden_bias.update(rate, 0.0)


def _sigmoid(logits: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float32)
