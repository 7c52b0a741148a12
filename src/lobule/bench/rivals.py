"""What a user would pick instead to encode images: Keras plain and compiled, ONNX Runtime, PyTorch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lobule.bench.clock import seconds_of
from lobule.bench.results import Skipped
from lobule.errors import RunError
from lobule.features.keras_runtime import import_keras, keras_backend
from lobule.provenance import usable_cores

__all__ = ["BATCH", "Rival", "TorchProcess", "encoding_rivals", "features_model"]

BATCH: Final = 32
_EXPORTERS: Final = {"tensorflow": "tf2onnx", "jax": "jax2onnx", "torch": "onnxscript"}
"""What Keras needs to write an ONNX graph, by its backend."""

_TORCH_NETWORKS: Final = ("vgg16", "densenet121", "mobilenet_v2")

_Images = NDArray[np.float32]
_Encode = Callable[[_Images], Any]


@dataclass(frozen=True, eq=False)
class Rival:
    """Another way from arrays to features, warm.

    Attributes:
        name: of its series.
        seconds: encodes all images; returns the seconds that took.
        encode: the work itself, features (n, D) of images (n, S, S, 3) whole or by batches; None in another process.
        close: ends what was started for it.
    """

    name: str
    seconds: Callable[[], float]
    encode: _Encode | None = None
    close: Callable[[], object] = bool

    @classmethod
    def of(cls, name: str, encode: _Encode, images: _Images) -> Rival:
        """Return a rival in this process, run once on every size of batch that the images make."""
        encode(images[: min(len(images), BATCH) + len(images) % BATCH])
        return cls(name, lambda: seconds_of(lambda: encode(images)), encode)


def encoding_rivals(model: Any, backbone: str, images: _Images, *, folder: Path) -> tuple[list[Rival], list[Skipped]]:
    """Return every rival that is installed, in single precision, and the line that brings each of the others.

    Args:
        model: the backbone's Keras model, see `lobule.features.build`.
        backbone: its name.
        images: (n, S, S, 3) RGB 0..255.
        folder: scratch, for the exported graph and for images that go to another process.
    """
    plain = features_model(model)
    found = [
        Rival.of("keras_predict", _predicting(plain), images),
        Rival.of("keras_jit", _predicting(features_model(model, jit=True)), images),
    ]
    skipped = []
    for name, needed, make in (
        (
            "onnxruntime",
            ("onnxruntime", "onnx", _EXPORTERS[keras_backend()]),
            partial(_onnxruntime, plain, images, folder),
        ),
        ("torch", ("torch", "torchvision"), partial(_torch, backbone, images, folder)),
    ):
        if missing := [package for package in needed if importlib.util.find_spec(package) is None]:
            skipped.append(Skipped(name, f"pip install {' '.join(missing)}"))
        elif name == "torch" and backbone not in _TORCH_NETWORKS:
            skipped.append(Skipped(name, f"torchvision is compared with {', '.join(_TORCH_NETWORKS)} only"))
        else:
            try:
                found.append(make())
            except RunError as error:
                skipped.append(Skipped(name, str(error)))
    return found, skipped


def features_model(model: Any, *, jit: bool | Literal["auto"] = "auto") -> Any:
    """Return the part of a backbone's Keras model that gives the features, compiled for `predict`.

    Args:
        model: see `lobule.features.build`.
        jit: whether by XLA (or what else the backend has); auto: as Keras does where nothing is said.
    """
    part = import_keras().Model(model.input, model.outputs[0])
    part.compile(jit_compile=jit)
    return part


def _predicting(model: Any) -> _Encode:
    return partial(model.predict, batch_size=BATCH, verbose=0)


def _onnxruntime(model: Any, images: _Images, folder: Path) -> Rival:
    onnxruntime = importlib.import_module("onnxruntime")
    graph, model = folder / "features.onnx", _exportable(model)
    model(images[:1])  # Keras exports only what was called once.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of tf2onnx, about NumPy
        model.export(graph, format="onnx", verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def encode(images: _Images) -> list[Any]:
        batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
        return [session.run(None, {name: batch})[0] for batch in batches]

    return Rival.of("onnxruntime", encode, images)


def _exportable(model: Any) -> Any:
    """Return the same model with Normalization as Rescaling: its captured numbers become inputs of an ONNX graph."""
    keras = import_keras()

    def copy(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Normalization):
            return type(layer).from_config(layer.get_config())
        mean, variance = (keras.ops.convert_to_numpy(value).ravel() for value in (layer.mean, layer.variance))
        scale = 1 / np.sqrt(variance)
        return keras.layers.Rescaling(scale.tolist(), offset=(-mean * scale).tolist(), name=layer.name)

    copied = keras.models.clone_model(model, clone_function=copy)
    copied.set_weights(model.get_weights())
    return copied


def _torch(backbone: str, images: _Images, folder: Path) -> Rival:
    file = folder / "images.npy"
    np.save(file, images)
    process = TorchProcess(backbone, file)
    process.seconds()
    return Rival("torch", process.seconds, close=process.close)


class TorchProcess:
    """A process that runs a network of torchvision whenever it is asked; see `lobule.bench.torch_child`.

    Args:
        network: its name.
        images: .npy file of (n, S, S, 3) float32.
    """

    def __init__(self, network: str, images: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lobule.bench.torch_child", network, str(images), str(usable_cores())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def seconds(self) -> float:
        """Return the seconds of one pass over all images.

        Raises:
            RunError: the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # What it said before it ended is read below.
        if answer := self._process.stdout.readline():
            return float(answer)
        _, errors = self._process.communicate()
        raise RunError(f"torch: its process ended: {next(iter(reversed(errors.strip().splitlines())), 'no output')}")

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.communicate()
