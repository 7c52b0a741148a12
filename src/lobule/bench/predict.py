"""How long does an answer take, from a cold start and in a process that is already there?"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lobule.bench.clock import alternately, seconds_of
from lobule.bench.results import Ratio, Result, Series
from lobule.bench.setup import Setup, fresh_cache
from lobule.bench.small_model import small_run
from lobule.bench.workload import Workload
from lobule.data.images import decode
from lobule.errors import RunError
from lobule.export.keras_export import export_keras
from lobule.features.openvino_engine import load_graph
from lobule.features.views import apply_view
from lobule.inference.predictor import Predictor
from lobule.model.bundle import open_bundle
from lobule.progress import Progress, silent

__all__ = ["bench_predict"]

_SCRIPT: Final = Path(__file__).with_name("keras_script.py")
_COLD_VS_SCRIPT, _COLD_SECONDS, _P99 = 0.35, 2.5, 2.0
_CALLS, _QUICK_CALLS = 200, 5


@dataclass(frozen=True)
class _Single:
    """Seconds of one image at a time, in process, the calls of predictor and engine in turn."""

    predictor: tuple[float, ...]
    engine: tuple[float, ...]


def bench_predict(setup: Setup, *, progress: Progress = silent) -> Result:
    """Measure `lobule predict one.png` beside the shortest Keras script, and a predictor beside its own engine.

    Args:
        setup: what is measured, and on what.
        progress: told about each step.

    Raises:
        LobuleError: the weights or the images cannot be used, or Keras is not installed.
    """
    with fresh_cache() as scratch:
        run, workload = small_run(setup, scratch, progress=progress)
        export_keras(run, scratch / "keras")
        contenders: dict[str, Callable[[], float]] = {
            "predict_cold": lambda: _child_seconds(*_lobule(run, workload, scratch)),
            "keras_script_cold": lambda: _child_seconds(str(_SCRIPT), *_script_arguments(workload, scratch)),
            "python_cold": lambda: _child_seconds("-c", "import numpy"),
        }
        for measure in contenders.values():
            measure()
        cold = alternately(contenders, repeats=setup.rounds(7), progress=progress)
        single = _one_at_a_time(run, workload, _QUICK_CALLS if setup.quick else _CALLS)
    return _result(setup, workload, cold, single)


def _lobule(run: Path, workload: Workload, scratch: Path) -> tuple[str, ...]:
    out = scratch / "predictions.csv"
    return ("-m", "lobule", "predict", str(workload.largest), "--model", str(run), "--out", str(out))


def _script_arguments(workload: Workload, scratch: Path) -> tuple[str, str]:
    return str(scratch / "keras" / "binary.keras"), str(workload.largest)


def _child_seconds(*arguments: str) -> float:
    """Return the wall-clock seconds of a Python process.

    Raises:
        RunError: it failed.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RunError(f"python {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return seconds


def _one_at_a_time(run: Path, workload: Workload, calls: int) -> _Single:
    """Predict an image in memory again and again; the engine gets its views, squashed before."""
    bundle, pixels = open_bundle(run), decode(workload.largest)
    predictor, engine = Predictor(bundle), load_graph(bundle.running_graph, precision=bundle.record.precision)
    record = bundle.record
    views = [apply_view(pixels, view, size=record.input_size) for view in record.preprocessing.views]
    contenders = {
        "predictor": lambda: seconds_of(lambda: predictor.predict(pixels)),
        "engine": lambda: seconds_of(lambda: engine.encode(views)),
    }
    alternately(contenders, repeats=3)
    return _Single(**alternately(contenders, repeats=calls))


def _result(setup: Setup, workload: Workload, cold: dict[str, tuple[float, ...]], single: _Single) -> Result:
    p99 = float(np.percentile(single.predictor, 99))
    series = [Series(name, "s", values) for name, values in cold.items()]
    series += [
        Series("predictor_single", "s", single.predictor),
        Series("predictor_single_p99", "s", (p99,)),
        Series("engine_single", "s", single.engine),
    ]
    medians = {each.name: each.median for each in series}
    compared = medians["predict_cold"] / medians["keras_script_cold"]
    ratios = (
        Ratio("predict_cold_vs_keras_script", compared, "predict_cold / keras_script_cold", at_most=_COLD_VS_SCRIPT),
        Ratio("predict_cold_vs_limit", medians["predict_cold"] / _COLD_SECONDS, "predict_cold / 2.5 s", at_most=1.0),
        Ratio("predictor_p99_vs_engine", p99 / medians["engine_single"], "p99 / engine_single", at_most=_P99),
    )
    workload_text = {
        "backbone": setup.backbone,
        "weights": setup.weights,
        "image": workload.largest_kind,
        "views": "identity and flip_horizontal, both sides",
    }
    notes = (
        "Cold: a child process from start to end, files in the page cache. `lobule predict` verifies the bundle, "
        "answers both tasks and writes the CSV; the script loads binary.keras, predicts and prints.",
        "python_cold starts Python and imports NumPy: what no program in Python can go below.",
        "predictor_single and engine_single: pixels in memory, one image at a time; the engine gets squashed views.",
    )
    return Result("predict", workload_text, tuple(series), ratios, notes=notes)
