"""From a Keras graph to the graph that OpenVINO runs: written once, checked against Keras, kept.

Run as a module it writes one graph: what a process whose Keras has another backend than TensorFlow starts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule import errors
from lobule.errors import LobuleError, MissingExtraError, VerificationError
from lobule.features.build import build_spec
from lobule.features.keras_runtime import import_keras, import_tensorflow, keras_backend
from lobule.features.openvino_engine import OpenVINOEngine
from lobule.features.openvino_runtime import import_openvino
from lobule.features.spec import EncoderSpec
from lobule.provenance import cache_folder, digest_of_file, environment, now, write_atomically
from lobule.storage import scratch_folder

__all__ = ["PARITY_BOUND", "graph_of", "main", "parity_images", "write_graph"]

PARITY_BOUND: Final = 1e-3
"""Largest allowed relative difference (Euclidean norm, worst image) between the OpenVINO and the Keras output."""

_FILES: Final = ("backbone.xml", "backbone.bin")


def graph_of(spec: EncoderSpec) -> Path:
    """Return the graph of a specification for OpenVINO, writing and checking it the first time.

    Returns:
        `backbone.xml` in the cache; `backbone.bin`, `parity.json` and `spec.json` stand beside it.

    Raises:
        MissingExtraError: the graph has to be written, and Keras or TensorFlow is not installed.
        WeightsError: the weights do not fit.
        VerificationError: the graph does not agree with Keras.
    """
    folder = cache_folder() / "graphs" / spec.graph_key
    if not _is_whole(folder):
        _write_into_cache(spec, folder)
    return folder / _FILES[0]


def write_graph(spec: EncoderSpec, folder: Path) -> None:
    """Write the graph of a specification into an existing folder, with this process' Keras (TensorFlow backend).

    Raises:
        WeightsError: the weights do not fit.
        VerificationError: the graph does not agree with Keras.
    """
    model = build_spec(spec)
    _save_graph(model, folder / _FILES[0])
    parity = _compare(model, folder / _FILES[0])
    record = {
        **parity,
        "files": {name: digest_of_file(folder / name) for name in _FILES},
        "written": now(),
        "environment": environment(),
    }
    write_atomically(folder / "spec.json", json.dumps(spec.to_json(), indent=2))
    write_atomically(folder / "parity.json", json.dumps(record, indent=2))
    if not parity["largest_relative_difference"] <= PARITY_BOUND:
        raise VerificationError(
            f"--backbone {spec.backbone}: OpenVINO and Keras differ by {parity['largest_relative_difference']:.2g}"
            f" (relative), allowed {PARITY_BOUND:g}; use --set features.engine=keras."
        )


def parity_images(count: int, size: int) -> NDArray[np.uint8]:
    """Return (count, size, size, 3) seeded images for comparing engines: coarse colour fields under fine noise."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(40, 216, (count, 7, 7, 3))
    fields = np.repeat(np.repeat(coarse, -(-size // 7), axis=1), -(-size // 7), axis=2)[:, :size, :size]
    return (fields + generator.integers(-40, 40, fields.shape)).astype(np.uint8)


def main(arguments: list[str]) -> int:
    """Write the graph of the specification (a JSON file) named first into the folder named second."""
    specification, folder = map(Path, arguments)
    try:
        write_graph(EncoderSpec.from_json(json.loads(specification.read_text(encoding="utf-8"))), folder)
    except LobuleError as error:
        write_atomically(folder / "error.json", json.dumps({"type": type(error).__name__, "message": str(error)}))
        return error.exit_code
    return 0


def _is_whole(folder: Path) -> bool:
    try:
        digests = json.loads((folder / "parity.json").read_text(encoding="utf-8"))["files"]
        return all(digest_of_file(folder / name) == digests[name] for name in _FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_into_cache(spec: EncoderSpec, folder: Path) -> None:
    with scratch_folder(folder) as unfinished:
        if keras_backend() == "tensorflow":
            write_graph(spec, unfinished)
        else:
            _write_graph_in_child(spec, unfinished)
        _move(unfinished, folder)


def _move(unfinished: Path, folder: Path) -> None:
    if folder.exists() and not _is_whole(folder):
        shutil.rmtree(folder)
    try:
        unfinished.rename(folder)
    except OSError:  # another process was first
        if not _is_whole(folder):
            raise


def _write_graph_in_child(spec: EncoderSpec, folder: Path) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingExtraError(f"Writing an OpenVINO graph under the {keras_backend()} backend of Keras", "train")
    specification = folder / "spec.json"
    write_atomically(specification, json.dumps(spec.to_json()))
    quiet = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "lobule.features.convert", str(specification), str(folder)]
    child = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, text=True, check=False)
    if child.returncode:
        raise _error_of_child(folder / "error.json", child.stderr)


def _error_of_child(record: Path, output: str) -> LobuleError:
    try:
        error = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = next(iter(reversed(output.strip().splitlines())), "no output")
        return VerificationError(f"writing the OpenVINO graph in a TensorFlow process failed: {last}")
    known: type[LobuleError] = getattr(errors, str(error["type"]))
    if known is MissingExtraError:
        return MissingExtraError("Writing an OpenVINO graph", "train")
    return known(error["message"])


def _save_graph(model: Any, xml: Path) -> None:
    """Freeze a model into a TensorFlow graph whose weights are constants, and let OpenVINO read that.

    Handing the variables over as constants of a stateless call takes a third of the time of `model.export`.
    """
    ov = import_openvino()

    tf = import_tensorflow()
    trainable = [variable.numpy() for variable in model.trainable_variables]
    frozen = [variable.numpy() for variable in model.non_trainable_variables]
    size = model.input.shape[1]

    def call(image: Any) -> Any:
        constants = [[tf.constant(value) for value in values] for values in (trainable, frozen)]
        outputs, _ = model.stateless_call(*constants, image, training=False)
        return [tf.identity(output) for output in outputs]

    signature = [tf.TensorSpec((None, size, size, 3), tf.float32, name="image")]
    concrete = tf.function(call, input_signature=signature, autograph=False).get_concrete_function()
    with tempfile.TemporaryDirectory(dir=xml.parent) as scratch:
        frozen_graph = Path(scratch) / "graph.pb"
        frozen_graph.write_bytes(concrete.graph.as_graph_def().SerializeToString())
        graph = ov.Core().read_model(frozen_graph)
        _name(graph, wanted={output.name for output in concrete.outputs})
        ov.save_model(graph, xml, compress_to_fp16=False)


def _name(graph: Any, *, wanted: set[str]) -> None:
    # Custom gradients (swish) leave dead ends in the graph that OpenVINO takes for outputs.
    for output in graph.outputs:
        if not output.get_names() & wanted:
            graph.remove_result(output.node)
    (image,) = graph.inputs
    image.get_tensor().set_names({"image"})
    for output in graph.outputs:
        output.get_tensor().set_names({"features" if len(output.partial_shape) == 2 else "map"})


def _compare(model: Any, xml: Path) -> dict[str, Any]:
    keras, engine = import_keras(), OpenVINOEngine(xml)
    images = parity_images(3, engine.input_size)
    with keras.device("cpu"):
        outputs = model(images.astype(np.float32), training=False)
    expected = [np.asarray(keras.ops.convert_to_numpy(output)) for output in outputs]
    differences = [
        _relative_difference(ours, theirs) for ours, theirs in zip(engine.maps(images), expected, strict=True)
    ]
    return {
        "reference": f"keras {keras.__version__} on {keras.backend.backend()}",
        "images": len(images),
        "features_relative_difference": differences[0],
        "map_relative_difference": differences[1],
        "largest_relative_difference": max(differences),
        "bound": PARITY_BOUND,
    }


def _relative_difference(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Return the worst image's |ours - theirs| / |theirs|; nan where something is not finite."""
    axes = tuple(range(1, theirs.ndim))
    difference = np.sqrt(np.sum((ours.astype(np.float64) - theirs) ** 2, axis=axes))
    size = np.sqrt(np.sum(theirs.astype(np.float64) ** 2, axis=axes))
    return float(np.max(difference / np.maximum(size, np.finfo(np.float32).tiny)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
