"""The reference engine: the Keras graph itself, on whatever the Keras backend runs on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from lobule.features.build import build_spec
from lobule.features.engines import as_image
from lobule.features.keras_runtime import import_keras
from lobule.features.spec import EncoderSpec
from lobule.features.turns import Load, loaded_ahead
from lobule.provenance import usable_cores

__all__ = ["KerasEngine"]

_BATCH: Final = 16
_MAX_THREADS: Final = 8
_Job = TypeVar("_Job")


class KerasEngine:
    """Runs the Keras model of a specification in batches of one fixed size, the last one padded.

    Args:
        spec: what to run.

    Raises:
        MissingExtraError: Keras is not installed.
        WeightsError: the weights do not fit.
    """

    name = "keras"
    precision = "f32"

    def __init__(self, spec: EncoderSpec) -> None:
        self.model = build_spec(spec)
        self.feature_size = spec.feature_size
        self.input_size = spec.architecture.input_size

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yield the (D,) features of each (S, S, 3) RGB image, in order, a batch at a time."""
        for (features,) in self._run(self._for_features, images):
            yield features

    def stream_loaded(self, jobs: Sequence[_Job], load: Load[_Job]) -> Iterator[NDArray[np.float32]]:
        """Yield the (images, D) features of what `load` gives for each job, in order, loading ahead in threads."""
        counts: deque[int] = deque()

        def images() -> Iterator[NDArray[np.uint8]]:
            for loaded in loaded_ahead(jobs, load, threads=min(usable_cores(), _MAX_THREADS)):
                counts.append(len(loaded))
                yield from loaded

        rows = self.stream(images())
        for first in rows:
            yield np.stack([first, *islice(rows, counts.popleft() - 1)])

    def encode(self, images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the (n, D) features of (S, S, 3) RGB images."""
        rows = list(self.stream(images))
        return np.stack(rows) if rows else np.empty((0, self.feature_size), np.float32)

    def maps(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (n, D) features and (n, h, w, C) maps of (n, S, S, 3) RGB images."""
        rows = list(self._run(self.model, images))
        if not rows:
            shape = self.model.outputs[1].shape[1:]
            return np.empty((0, self.feature_size), np.float32), np.empty((0, *shape), np.float32)
        return np.stack([features for features, _ in rows]), np.stack([values for _, values in rows])

    @cached_property
    def _for_features(self) -> Any:
        return import_keras().Model(self.model.input, self.model.outputs[0])

    def _run(self, model: Any, images: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[NDArray[np.float32], ...]]:
        remaining = iter(images)
        while batch := [as_image(image, self.input_size) for image in islice(remaining, _BATCH)]:
            padded = np.zeros((_BATCH, self.input_size, self.input_size, 3), np.float32)
            padded[: len(batch)] = batch
            predicted = model.predict_on_batch(padded)
            outputs = predicted if isinstance(predicted, list) else [predicted]
            for row in range(len(batch)):
                yield tuple(np.array(output[row], dtype=np.float32) for output in outputs)
