"""What every engine can do, and which one is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lobule.errors import DataError

if TYPE_CHECKING:
    from lobule.features.spec import EncoderSpec
    from lobule.features.turns import Load

__all__ = ["Engine", "Precision", "as_image", "open_engine"]

Precision = Literal["f32", "bf16", "int8"]

_Job = TypeVar("_Job")


class Engine(Protocol):
    """Runs the graph of a backbone on squashed images.

    The features of an image depend on that image alone: not on its neighbours, on their number, or on where a
    computation was cut and resumed.

    Attributes:
        name: `openvino` or `keras`.
        precision: of the arithmetic, such as `f32`.
        feature_size: length D of a feature vector.
        input_size: side S of the input in pixels.
    """

    name: str
    precision: str
    feature_size: int
    input_size: int

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yield the (D,) features of each (S, S, 3) RGB image, in order, holding only a few at a time."""
        ...

    def stream_loaded(self, jobs: Sequence[_Job], load: Load[_Job]) -> Iterator[NDArray[np.float32]]:
        """Yield the (images, D) features of what `load` gives for each job, in order; it is called in threads."""
        ...

    def encode(self, images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the (n, D) features of (S, S, 3) RGB images."""
        ...

    def maps(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (n, D) features and (n, h, w, C) maps of (n, S, S, 3) RGB images."""
        ...


def open_engine(spec: EncoderSpec, *, kind: Literal["auto", "keras", "openvino"] = "auto") -> Engine:
    """Open an engine; the OpenVINO graph is written and checked against Keras the first time.

    Args:
        spec: what to run.
        kind: auto: the engine that the specification names.

    Raises:
        MissingExtraError: Keras is needed and not installed.
        WeightsError: the weights do not fit.
        VerificationError: the graph for OpenVINO does not agree with Keras.
    """
    chosen = spec if kind == "auto" else replace(spec, engine=kind)
    if chosen.engine == "keras":
        from lobule.features.keras_engine import KerasEngine

        return KerasEngine(chosen)
    from lobule.features.openvino_engine import OpenVINOEngine

    if chosen.precision == "int8":
        from lobule.features.quantise import quantised_graph

        return OpenVINOEngine(quantised_graph(chosen), precision="int8")
    from lobule.features.convert import graph_of

    return OpenVINOEngine(graph_of(chosen), precision=chosen.precision)


def as_image(image: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Return the image, contiguous.

    Raises:
        DataError: it is not (size, size, 3) of uint8.
    """
    if image.dtype != np.uint8 or image.shape != (size, size, 3):
        raise DataError(f"image: expected ({size}, {size}, 3) of uint8, received {image.shape} of {image.dtype}.")
    return np.ascontiguousarray(image)
