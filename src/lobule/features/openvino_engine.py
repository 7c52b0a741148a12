"""The engine for processors: one image a request, as many requests in flight as there are cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from lobule.errors import VerificationError
from lobule.features.engines import Precision, as_image
from lobule.features.openvino_runtime import import_openvino
from lobule.features.turns import in_turns
from lobule.provenance import usable_cores

if TYPE_CHECKING:
    from lobule.features.turns import Load

__all__ = ["GRAPH_FILES", "INT8_FILES", "OpenVINOEngine", "load_graph", "precisions"]

GRAPH_FILES: Final = ("backbone.xml", "backbone.bin")
INT8_FILES: Final = ("backbone_int8.xml", "backbone_int8.bin")
"""Names of a graph in single precision, and of the same in 8-bit integers."""

_Job = TypeVar("_Job")


class OpenVINOEngine:
    """Runs a graph with the input "image" and the outputs "features" and "map" on the processor.

    Every stream has one thread and every request one image, so a result is the same whatever the number of cores,
    streams or neighbours. Once compiled, it may be used from any number of threads.

    Args:
        graph: `backbone.xml`, with its `.bin` beside it.
        precision: of the arithmetic. `bf16` is single precision where the processor has no bf16; `int8` needs a graph
            that was quantised.
        threads: how many compute at once; None: as many as there are cores.

    Raises:
        VerificationError: the file is not such a graph.
    """

    name = "openvino"

    def __init__(self, graph: Path, *, precision: Precision = "f32", threads: int | None = None) -> None:
        self.graph = Path(graph)
        self._threads = threads or usable_cores()
        self.precision: str = "f32" if precision == "bf16" and "BF16" not in precisions() else precision
        self._idle: deque[Any] = deque()
        shapes = {name: list(output.partial_shape) for name, output in _outputs(self._model).items()}
        self.feature_size = int(shapes["features"][1].get_length())
        self.input_size = int(self._model.inputs[0].partial_shape[1].get_length())

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yield the (D,) features of each (S, S, 3) RGB image, in order, holding only a few at a time."""
        for request in self._run(images):
            yield _copy(request.get_tensor("features"))

    def stream_loaded(self, jobs: Sequence[_Job], load: Load[_Job]) -> Iterator[NDArray[np.float32]]:
        """Yield the (images, D) features of what `load` gives for each job, in order.

        As many threads as there are cores load and encode in turns: this, not loading beside the graph's own threads,
        is what keeps every core at work on one thing.
        """
        idle: SimpleQueue[_Slot] = SimpleQueue()
        for _ in range(self._threads):
            idle.put(_Slot(self._compiled, self.input_size, self.feature_size))

        def encode(image: NDArray[np.uint8]) -> NDArray[np.float32]:
            slot = idle.get()
            try:
                return slot.run(as_image(image, self.input_size))
            finally:
                idle.put(slot)

        return in_turns(jobs, load, encode, threads=self._threads)

    def encode(self, images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the (n, D) features of (S, S, 3) RGB images."""
        rows = list(self.stream(images))
        return np.stack(rows) if rows else np.empty((0, self.feature_size), np.float32)

    def compile(self) -> None:
        """Prepare the graph for this processor now, instead of at the first image."""
        _ = self._compiled

    def maps(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (n, D) features and (n, h, w, C) maps of (n, S, S, 3) RGB images."""
        rows = [
            (_copy(request.get_tensor("features")), _copy(request.get_tensor("map"))) for request in self._run(images)
        ]
        if not rows:
            shapes = [tuple(self._compiled.output(name).shape)[1:] for name in ("features", "map")]
            return np.empty((0, *shapes[0]), np.float32), np.empty((0, *shapes[1]), np.float32)
        return np.stack([features for features, _ in rows]), np.stack([values for _, values in rows])

    def _run(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Any]:
        """Yield the finished request of each image, in order; its tensors are valid until the next one is asked for."""
        running: deque[tuple[Any, NDArray[np.uint8]]] = deque()
        try:
            for image in images:
                if len(running) == 2 * self._threads:
                    yield _finished(running)
                    self._idle.append(running.popleft()[0])
                pixels = as_image(image, self.input_size)[None]
                request = self._request()
                running.append((request, pixels))
                request.start_async([pixels], share_inputs=True)
            while running:
                yield _finished(running)
                self._idle.append(running.popleft()[0])
        finally:
            for request, _ in running:
                request.wait()
                self._idle.append(request)

    def _request(self) -> Any:
        """Return a request that nobody uses; making one costs up to a tenth of what an image costs."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._compiled.create_infer_request()

    @cached_property
    def _model(self) -> Any:
        return _read(self.graph)

    @cached_property
    def _compiled(self) -> Any:
        ov = import_openvino()

        model = self._model.clone()
        model.reshape([1, self.input_size, self.input_size, 3])
        preparation = ov.preprocess.PrePostProcessor(model)
        preparation.input().tensor().set_element_type(ov.Type.u8)
        settings = {
            "NUM_STREAMS": self._threads,
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bf16" else "f32",
            "ENABLE_CPU_PINNING": False,
        }
        return ov.Core().compile_model(preparation.build(), "CPU", settings)


class _Slot:
    """A request with tensors of its own, made in one thread and used in others.

    OpenVINO's way from an array to a tensor must not be gone for the first time by two threads at once: they wait for
    each other for ever. So the request is given its arrays beforehand, and threads only write to and read from them.
    """

    def __init__(self, compiled: Any, size: int, features: int) -> None:
        ov = import_openvino()

        self._request = compiled.create_infer_request()
        self._image = np.empty((1, size, size, 3), np.uint8)
        self._features = np.empty((1, features), np.float32)
        self._request.set_input_tensor(ov.Tensor(self._image, shared_memory=True))
        self._request.set_tensor("features", ov.Tensor(self._features, shared_memory=True))

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the (D,) features of an (S, S, 3) image."""
        self._image[0] = image
        self._request.start_async()
        self._request.wait()
        row: NDArray[np.float32] = self._features[0]
        return row.copy()


def precisions() -> tuple[str, ...]:
    """Return the precisions that OpenVINO has fast arithmetic for on this processor, such as `FP32`, `BF16`, `INT8`."""
    ov = import_openvino()

    known = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name in known if name in ("FP32", "BF16", "FP16", "INT8"))


def load_graph(xml: Path, *, precision: Precision = "f32", threads: int | None = None) -> OpenVINOEngine:
    """Open and compile the graph of a bundle; needs neither Keras nor TensorFlow.

    Raises:
        VerificationError: the file is not a graph with the input "image" and the outputs "features" and "map".
    """
    engine = OpenVINOEngine(xml, precision=precision, threads=threads)
    engine.compile()
    return engine


def _read(graph: Path) -> Any:
    ov = import_openvino()

    try:
        model = ov.Core().read_model(graph)
        outputs = _outputs(model)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise VerificationError(f"{graph}: cannot be read as an OpenVINO graph ({reason}).") from None
    if set(outputs) != {"features", "map"} or len(model.inputs) != 1:
        raise VerificationError(
            f"{graph}: expected one input and the outputs features and map; received {len(model.inputs)} inputs and"
            f" the outputs {', '.join(outputs) or 'none'}."
        )
    return model


def _outputs(model: Any) -> dict[str, Any]:
    return {name: output for output in model.outputs for name in sorted(output.get_names())}


def _finished(running: deque[tuple[Any, NDArray[np.uint8]]]) -> Any:
    request = running[0][0]
    request.wait()
    return request


def _copy(tensor: Any) -> NDArray[np.float32]:
    return np.array(tensor.data[0], dtype=np.float32)
