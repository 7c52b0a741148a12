"""The notebook way, a rival: Keras `fit` over images that are decoded and go through the frozen base every epoch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from lobule.bench.workload import Workload, prepare
from lobule.features.build import build_spec
from lobule.features.keras_runtime import import_keras
from lobule.features.spec import EncoderSpec
from lobule.provenance import usable_cores

__all__ = ["EPOCHS", "epoch_seconds", "extrapolated"]

EPOCHS: Final = 20
"""Epochs of a usual notebook."""

_BATCH: Final = 32
_VALIDATION: Final = 0.2


def epoch_seconds(spec: EncoderSpec, workload: Workload, *, epochs: int) -> list[float]:
    """Return the seconds of the first epochs of a usual notebook.

    Frozen backbone, its last map flattened into a dense layer of 256 units with dropout, one sigmoid output, Adam,
    batches of 32; 80 % of the images are trained on, 20 % validate every epoch. Files are decoded and squashed in as
    many threads as there are cores. Building the model counts to the first epoch.

    Args:
        spec: backbone and weights.
        workload: the images.
        epochs: how many are measured.
    """
    start = time.perf_counter()
    keras, frame = import_keras(), workload.manifest.frame
    order = np.random.default_rng(spec.seed).permutation(len(frame))
    targets = frame["label"].eq("malignant").to_numpy(np.float32)
    held_out = max(1, round(_VALIDATION * len(order)))
    model = _model(keras, spec)
    train, validation = (
        _images(keras, [workload.manifest.paths[row] for row in rows], targets[rows], model.input_shape[1])
        for rows in (order[held_out:], order[:held_out])
    )
    marks = [start]
    mark = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()))
    model.fit(train, validation_data=validation, epochs=epochs, callbacks=[mark], verbose=0)
    return np.diff(marks).tolist()


def extrapolated(seconds: list[float], *, epochs: int = EPOCHS) -> float:
    """Return the seconds of the whole training: what was measured, then the median of all but the first epoch.

    >>> extrapolated([5.0, 2.0, 2.0], epochs=20)
    43.0
    """
    usual = float(np.median(seconds[1:] or seconds))
    return sum(seconds) + (epochs - len(seconds)) * usual


def _model(keras: Any, spec: EncoderSpec) -> Any:
    base = build_spec(spec)
    layers = keras.layers
    hidden = layers.Dense(256, activation="relu")(layers.Flatten()(base.outputs[1]))
    output = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(hidden))
    model = keras.Model(base.input, output)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def _images(keras: Any, paths: list[Path], targets: np.ndarray[Any, Any], size: int) -> Any:
    class Images(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return -(-len(paths) // _BATCH)

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            part = slice(index * _BATCH, (index + 1) * _BATCH)
            return np.stack([prepare(path, size) for path in paths[part]]).astype(np.float32), targets[part]

    return Images(workers=usable_cores(), use_multiprocessing=False)
