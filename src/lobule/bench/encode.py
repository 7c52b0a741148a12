"""How fast do files become features? Beside rivals that get the pixels for nothing, and beside what is possible."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from lobule.bench.arithmetic import PEAK_SIDE, multiply_accumulates, product_peak
from lobule.bench.clock import alternately, seconds_of
from lobule.bench.results import Ratio, Result, Series, Skipped
from lobule.bench.rivals import Rival, encoding_rivals
from lobule.bench.setup import Setup, fresh_cache
from lobule.bench.workload import Workload, prepare, squashed_arrays, workload_of
from lobule.data.images import decode
from lobule.features.build import build_spec
from lobule.features.engines import Engine, open_engine
from lobule.features.extract import extract_spec
from lobule.features.openvino_engine import precisions
from lobule.features.parity import measured_parities
from lobule.features.precision import settle
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.progress import Progress, silent
from lobule.provenance import cache_folder, usable_cores

__all__ = ["bench_encode"]

_WORK: Final = 1e12
"""Multiply-accumulates that a measurement takes about; decides the usual number of images."""
_FEWEST, _MOST = 64, 512
_QUICK_SIDE: Final = 256
_RIVAL_IMAGES: Final = 128
"""A rival encodes so many of the images at most: its rate does not depend on more, and XLA takes minutes."""
_FASTER_THAN_KERAS: Final = {
    ("vgg16", "bf16"): 1.8,
    ("vgg16", "f32"): 1.0,
    ("vgg16", "int8"): 3.2,
    ("densenet121", "bf16"): 2.5,
    ("mobilenet_v2", "f32"): 2.6,
}
_EFFICIENCY, _SHARE_OF_PEAK = 0.92, 0.70


@dataclass(frozen=True, eq=False)
class _Bench:
    """Everything that is measured, opened and warm."""

    setup: Setup
    spec: EncoderSpec
    engine: Engine
    workload: Workload
    contenders: dict[str, Callable[[], float]]
    rivals: Sequence[Rival]
    skipped: Sequence[Skipped]
    macs: int


def bench_encode(setup: Setup, *, progress: Progress = silent) -> Result:
    """Measure files -> features in a fresh store against rivals on arrays in memory, and against the machine's limit.

    Args:
        setup: what is measured, and on what.
        progress: told about each step.

    Raises:
        LobuleError: the weights or the images cannot be used, or Keras is not installed.
    """
    with fresh_cache() as scratch:
        spec = encoder_spec(setup.features, seed=setup.seed)
        written = seconds_of(lambda: open_engine(spec))
        bench = _prepared(setup, spec, scratch, progress)
        values = _measured(bench, progress)
        png = _decode_seconds(bench.workload)
        return _result(bench, values, graph_seconds=written, png_seconds=png)


def _prepared(setup: Setup, spec: EncoderSpec, scratch: Path, progress: Progress) -> _Bench:
    model = build_spec(spec)
    macs = multiply_accumulates(model)
    images = setup.count(int(np.clip(_WORK / max(macs, 1), _FEWEST, _MOST)), quick=8)
    workload = workload_of(setup, scratch, images=images, progress=progress)
    spec = settle(spec, setup.features, workload.manifest, seed=setup.seed, progress=progress)
    engine = open_engine(spec)
    pixels = squashed_arrays(workload.manifest.paths, engine.input_size)
    contenders = {
        "encode": lambda: len(pixels) / _encode_seconds(workload, spec),
        "engine": lambda: len(pixels) / seconds_of(lambda: engine.encode(pixels)),
        "engine_open": lambda: seconds_of(lambda: open_engine(spec).encode(pixels[:1])),
        "prepare": lambda: _prepare_core_seconds(workload, engine.input_size),
        **_peaks(setup, engine),
    }
    engine.encode(pixels[:4])
    progress("warming up rivals", 0, 1)
    theirs = pixels[:_RIVAL_IMAGES].astype(np.float32)
    rivals, skipped = encoding_rivals(model, spec.backbone, theirs, folder=scratch)
    progress("warming up rivals", 1, 1)
    return _Bench(setup, spec, engine, workload, contenders, rivals, skipped, macs)


def _measured(bench: _Bench, progress: Progress) -> dict[str, tuple[float, ...]]:
    images = min(len(bench.workload.manifest), _RIVAL_IMAGES)
    rivals = {rival.name: partial(_rate, rival, images) for rival in bench.rivals}
    try:
        return alternately({**bench.contenders, **rivals}, repeats=bench.setup.rounds(3), progress=progress)
    finally:
        for rival in bench.rivals:
            rival.close()


def _rate(rival: Rival, images: int) -> float:
    return images / rival.seconds()


def _encode_seconds(workload: Workload, spec: EncoderSpec) -> float:
    """Return the seconds from files to features in an empty store; the graph is there, the engine is opened anew."""
    shutil.rmtree(cache_folder() / "features", ignore_errors=True)
    return seconds_of(lambda: extract_spec(workload.manifest, spec, views=("identity",)))


def _prepare_core_seconds(workload: Workload, size: int) -> float:
    """Return core-seconds an image for decoding and squashing, all cores busy with it."""
    paths = workload.manifest.paths
    with ThreadPoolExecutor(usable_cores()) as pool:
        seconds = seconds_of(lambda: [None for _ in pool.map(lambda path: prepare(path, size), paths)])
    return seconds * usable_cores() / len(paths)


def _decode_seconds(workload: Workload) -> tuple[float, ...]:
    """Return the seconds of decoding the largest image, one at a time."""
    return tuple(seconds_of(lambda: decode(workload.largest)) for _ in range(15))


def _peaks(setup: Setup, engine: Engine) -> dict[str, Callable[[], float]]:
    if engine.name != "openvino":
        return {}
    side = _QUICK_SIDE if setup.quick else PEAK_SIDE
    wanted = ("f32", "bf16") if "BF16" in precisions() else ("f32",)
    return {f"matmul_{precision}": product_peak(precision, side=side) for precision in wanted}


_UNITS: Final = {"engine_open": "s", "prepare": "core-s/image", "matmul_f32": "MAC/s", "matmul_bf16": "MAC/s"}


def _result(
    bench: _Bench, values: dict[str, tuple[float, ...]], *, graph_seconds: float, png_seconds: tuple[float, ...]
) -> Result:
    series = [Series(name, _UNITS.get(name, "images/s"), each) for name, each in values.items()]
    series += [
        Series("decode_largest", "s", png_seconds),
        Series("graph_written", "s", (graph_seconds,)),
        Series("macs_an_image", "MAC", (float(bench.macs),)),
    ]
    medians = {each.name: each.median for each in series}
    workload = {
        "backbone": bench.spec.backbone,
        "weights": f"{bench.spec.weights.kind}, digest {bench.spec.weights.digest[:12]}",
        "engine": f"{bench.engine.name}, {bench.engine.precision}",
        "images": bench.workload.description,
        "views": "identity",
    }
    return Result(
        "encode", workload, tuple(series), tuple(_ratios(bench, medians)), tuple(bench.skipped), _notes(bench)
    )


def _ratios(bench: _Bench, medians: dict[str, float]) -> list[Ratio]:
    precision, encode = bench.engine.precision, medians["encode"]
    target = _FASTER_THAN_KERAS.get((bench.setup.backbone, precision))
    ratios = [Ratio("encode_vs_keras_predict", encode / medians["keras_predict"], "encode / keras_predict", target)]
    ratios += [
        Ratio(f"encode_vs_{name}", encode / medians[name], f"encode / {name}")
        for name in ("keras_jit", "onnxruntime", "torch")
        if name in medians
    ]
    possible = usable_cores() / (usable_cores() / medians["engine"] + medians["prepare"])
    ratios.append(
        Ratio("encode_efficiency", encode / possible, "encode / (cores / (cores / engine + prepare))", _EFFICIENCY)
    )
    if peak := medians.get(f"matmul_{precision}"):
        meaning = f"engine x macs_an_image / matmul_{precision}"
        share = medians["engine"] * bench.macs / peak
        ratios.append(Ratio("engine_vs_matmul_peak", share, meaning, _SHARE_OF_PEAK))
    return ratios


def _notes(bench: _Bench) -> tuple[str, ...]:
    notes = [
        *map(str, measured_parities()),
        "encode: files to features in an empty store, opening the engine included; the graph had been written before "
        "(graph_written, once a backbone).",
        f"Rivals get the squashed pixels of {_RIVAL_IMAGES} images at most in memory, batches of 32, single precision, "
        "already traced and compiled.",
        f"prepare is decoding and squashing the same files on all {usable_cores()} cores; decode_largest is one "
        f"{bench.workload.largest_kind} file on one core.",
    ]
    if not any(name.startswith("matmul") for name in bench.contenders):
        notes.append("engine_vs_matmul_peak: not measured, the engine does not run on the processor.")
    elif f"matmul_{bench.engine.precision}" not in bench.contenders:
        notes.append(f"engine_vs_matmul_peak: not measured in {bench.engine.precision}.")
    if "matmul_bf16" not in bench.contenders:
        notes.append("matmul_bf16: not measured, this processor has no bf16 arithmetic.")
    return tuple(notes)
