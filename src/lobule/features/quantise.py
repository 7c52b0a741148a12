"""From the graph in single precision to one in 8-bit integers, by NNCF: calibrated on images, compared on others."""

from __future__ import annotations

import importlib
import io
import json
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule.errors import MissingExtraError, VerificationError
from lobule.features.convert import graph_of
from lobule.features.openvino_engine import INT8_FILES
from lobule.features.openvino_runtime import import_openvino
from lobule.features.parity import Parity, digest_of_images, parity_of
from lobule.features.spec import EncoderSpec
from lobule.provenance import cache_folder, digest_of_file, digest_of_json, write_atomically
from lobule.storage import scratch_folder

__all__ = ["quantise", "quantised_graph"]

_RECIPE: Final = {"preset": "mixed", "weights": "7 bits, so that processors without VNNI do not overflow", "version": 1}
_Images = NDArray[np.uint8]


def quantise(spec: EncoderSpec, calibration: _Images, held_back: _Images) -> tuple[EncoderSpec, Parity]:
    """Return the specification in int8 and how near it is; the graph is made once for the same images, then kept.

    The graph depends on the network and the calibration images alone (and on NNCF): ranges of activations are taken
    from them, no label is seen.

    Args:
        spec: in any precision.
        calibration: (n, S, S, 3) RGB training images.
        held_back: (m, S, S, 3) RGB images that the result is judged by.

    Raises:
        MissingExtraError: the graph must be made, and NNCF is not installed.
    """
    plain = spec.in_single_precision
    decides = {
        "graph": plain.graph_key,
        "recipe": _RECIPE,
        "nncf": _version(),
        "images": [digest_of_images(images) for images in (calibration, held_back)],
    }
    key = digest_of_json(decides)[:32]
    quantised = replace(plain, precision="int8", calibration=key)
    parity = Parity.read(key)
    if parity is None or not _is_whole(_folder(key)):
        parity = _make(quantised, calibration, held_back)
        parity.write(key)
    return quantised, parity


def quantised_graph(spec: EncoderSpec) -> Path:
    """Return the graph that `quantise` made for this specification: `backbone_int8.xml`, its `.bin` beside it.

    Raises:
        VerificationError: it is not in the cache any more.
    """
    folder = _folder(spec.calibration)
    if not _is_whole(folder):
        raise VerificationError(
            f"{folder}: the quantised graph of {spec.backbone} is missing or damaged; run the same training again, "
            "which makes it from the same images, or use features.precision=f32."
        )
    return folder / INT8_FILES[0]


def _make(spec: EncoderSpec, calibration: _Images, held_back: _Images) -> Parity:
    from lobule.features.openvino_engine import OpenVINOEngine

    graph, folder = graph_of(spec.in_single_precision), _folder(spec.calibration)
    with scratch_folder(folder) as unfinished:
        _write(graph, calibration, unfinished)
        engine = OpenVINOEngine(unfinished / INT8_FILES[0], precision="int8")
        parity = parity_of(
            OpenVINOEngine(graph).encode(held_back),
            engine.encode(held_back),
            backbone=spec.backbone,
            precision="int8",
            calibrated_with=len(calibration),
        )
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    return parity


def _write(graph: Path, calibration: _Images, folder: Path) -> None:
    ov = import_openvino()

    with _quiet():
        nncf = _nncf()
        parameters = importlib.import_module("nncf.quantization.advanced_parameters")
        quantised = nncf.quantize(
            ov.Core().read_model(graph),
            nncf.Dataset(list(calibration), lambda image: image[None].astype(np.float32)),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            # The features stay the averages of the map, to the rounding of single precision: heat maps rest on it.
            ignored_scope=nncf.IgnoredScope(types=["ReduceMean"], validate=False),
            advanced_parameters=parameters.AdvancedQuantizationParameters(overflow_fix=parameters.OverflowFix.ENABLE),
        )
    ov.save_model(quantised, folder / INT8_FILES[0], compress_to_fp16=False)
    digests = {name: digest_of_file(folder / name) for name in INT8_FILES}
    write_atomically(folder / "files.json", json.dumps(digests, indent=2))


def _nncf() -> Any:
    try:
        return importlib.import_module("nncf")
    except ModuleNotFoundError:
        raise MissingExtraError("features.precision=int8", "int8") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's log, bars and warnings off stdout, which carries results."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _version() -> str:
    try:
        return metadata.version("nncf")
    except metadata.PackageNotFoundError:
        raise MissingExtraError("features.precision=int8", "int8") from None


def _folder(key: str) -> Path:
    return cache_folder() / "graphs" / f"int8-{key}"


def _is_whole(folder: Path) -> bool:
    try:
        digests = json.loads((folder / "files.json").read_text(encoding="utf-8"))
        return all(digest_of_file(folder / name) == digests[name] for name in INT8_FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return False
