"""All questions by name, and the report of those that were asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from lobule.bench.machine import Others, machine
from lobule.bench.results import Report, Result
from lobule.bench.setup import Setup
from lobule.errors import ConfigError
from lobule.progress import Progress, silent

__all__ = ["QUESTIONS", "run_benchmarks"]


class _Benchmark(Protocol):
    def __call__(self, setup: Setup, *, progress: Progress = silent) -> Result: ...


def _encode() -> _Benchmark:
    from lobule.bench.encode import bench_encode

    return bench_encode


def _train() -> _Benchmark:
    from lobule.bench.train import bench_train

    return bench_train


def _predict() -> _Benchmark:
    from lobule.bench.predict import bench_predict

    return bench_predict


def _serve() -> _Benchmark:
    from lobule.bench.serve import bench_serve

    return bench_serve


def _watched(benchmark: _Benchmark, setup: Setup, progress: Progress) -> Result:
    """Run a benchmark and say how quiet the machine was meanwhile."""
    others = Others()
    result = benchmark(setup, progress=progress)
    busy = others.busy_cores()
    known = {} if busy is None else {"others": f"kept {busy:.2f} cores busy meanwhile"}
    return replace(result, workload={**result.workload, **known})


QUESTIONS: Final[Mapping[str, Callable[[], _Benchmark]]] = {
    "encode": _encode,
    "train": _train,
    "predict": _predict,
    "serve": _serve,
}
"""By name, a function that imports the benchmark."""


def run_benchmarks(
    setup: Setup,
    questions: Sequence[str] = tuple(QUESTIONS),
    *,
    sizes: Sequence[int] = (),
    command: str = "",
    progress: Progress = silent,
) -> Report:
    """Measure and report.

    Args:
        setup: what is measured, and on what.
        questions: of `QUESTIONS`.
        sizes: numbers of images to measure the growth of time and memory of encoding with; none: not measured.
        command: the command line, for the record.
        progress: told about each step.

    Raises:
        ConfigError: a question is unknown.
        LobuleError: something that is measured cannot be done.
    """
    if unknown := [name for name in questions if name not in QUESTIONS]:
        raise ConfigError(f"QUESTION {unknown[0]}: unknown; allowed: {', '.join(QUESTIONS)}.")
    before = machine()
    results = [_watched(QUESTIONS[name](), setup, progress) for name in questions]
    if sizes:
        from lobule.bench.scale import bench_scale

        results.append(_watched(partial(bench_scale, sizes=sizes), setup, progress))
    return Report(before, command, tuple(results))
