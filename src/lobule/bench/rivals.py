"""What a user would pick instead to encode images: Keras plain and compiled, ONNX Runtime, PyTorch."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lobule.bench.machine import cores
from lobule.bench.results import Skipped
from lobule.features.keras_runtime import import_keras

__all__ = ["BATCH", "Rival", "encoding_rivals", "features_model"]

BATCH: Final = 32
_TORCH_NETWORKS: Final = ("vgg16", "densenet121", "mobilenet_v2")

_Encode = Callable[[NDArray[np.float32]], Any]


@dataclass(frozen=True, eq=False)
class Rival:
    """Another way from arrays to features.

    Attributes:
        name: of its series.
        encode: takes images (n, S, S, 3) RGB 0..255; returns features (n, D), or something of that size.
    """

    name: str
    encode: _Encode

    def warm_up(self, images: NDArray[np.float32]) -> None:
        """Run it once on every size of batch that these images make."""
        self.encode(images[: min(len(images), BATCH) + len(images) % BATCH])


def features_model(model: Any, *, jit: bool | Literal["auto"] = "auto") -> Any:
    """Return the part of a backbone's Keras model that gives the features, compiled for `predict`.

    Args:
        model: see `lobule.features.build`.
        jit: whether by XLA (or what else the backend has); auto: as Keras does where nothing is said.
    """
    part = import_keras().Model(model.input, model.outputs[0])
    part.compile(jit_compile=jit)
    return part


def encoding_rivals(model: Any, backbone: str, folder: Path) -> tuple[list[Rival], list[Skipped]]:
    """Return every rival that is installed, in single precision, and the line that brings each of the others.

    Args:
        model: the backbone's Keras model, see `lobule.features.build`.
        backbone: its name.
        folder: scratch, for the exported graph.
    """
    kinds: tuple[tuple[str, bool | Literal["auto"]], ...] = (("keras_predict", "auto"), ("keras_jit", True))
    found = [
        Rival(name, partial(features_model(model, jit=jit).predict, batch_size=BATCH, verbose=0)) for name, jit in kinds
    ]
    skipped = []
    for name, needed, make in (
        ("onnxruntime", ("onnxruntime", "onnx", "tf2onnx"), partial(_onnxruntime, model, folder)),
        ("torch", ("torch", "torchvision"), partial(_torch, backbone)),
    ):
        if missing := [package for package in needed if importlib.util.find_spec(package) is None]:
            skipped.append(Skipped(name, f"pip install {' '.join(missing)}"))
        elif name == "torch" and backbone not in _TORCH_NETWORKS:
            skipped.append(Skipped(name, f"torchvision is compared with {', '.join(_TORCH_NETWORKS)} only"))
        else:
            found.append(Rival(name, make()))
    return found, skipped


def _onnxruntime(model: Any, folder: Path) -> _Encode:
    onnxruntime = importlib.import_module("onnxruntime")
    graph = folder / "features.onnx"
    part = features_model(model)
    part(np.zeros((1, *part.input.shape[1:]), np.float32))  # Keras exports only what was called once.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of tf2onnx, about NumPy
        part.export(graph, format="onnx", verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: [session.run(None, {name: batch})[0] for batch in _batches(images)]


def _torch(backbone: str) -> _Encode:
    """Return torchvision's network of the same name with random weights, eager, channels last."""
    torch, models = importlib.import_module("torch"), importlib.import_module("torchvision.models")
    torch.set_num_threads(cores())
    network = getattr(models, backbone)(weights=None).features.eval().to(memory_format=torch.channels_last)

    def encode(images: NDArray[np.float32]) -> list[Any]:
        with torch.inference_mode():
            return [
                network(torch.from_numpy(batch).permute(0, 3, 1, 2)).mean(dim=(2, 3)).numpy()
                for batch in _batches(images)
            ]

    return encode


def _batches(images: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
