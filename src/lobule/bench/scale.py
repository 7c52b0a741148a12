"""How do time and memory of encoding grow with the number of images?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lobule.bench.results import Ratio, Result, Series
from lobule.bench.setup import Setup, fresh_cache
from lobule.errors import ConfigError, RunError
from lobule.features.engines import open_engine
from lobule.features.spec import encoder_spec
from lobule.progress import Progress, silent

__all__ = ["CHILD", "SIZES", "bench_scale", "line_through"]

SIZES: Final = (1000, 4000, 16_000, 64_000)
"""The sizes that the target is about."""

CHILD: Final = ["-m", "lobule.bench.scale_child"]
"""What measures one size in a process of its own, so that memory is that of the work alone."""

_RESIDUAL, _LARGEST_GB = 0.10, 1.5
_GB: Final = 1e9


def bench_scale(setup: Setup, *, sizes: Sequence[int], progress: Progress = silent) -> Result:
    """Measure seconds and peak memory of files -> features for several numbers of images.

    The files are small and uncompressed, each with one pixel of its own, so that many thousands are quickly written and
    no two have the same digest; each size starts with an empty store.

    Args:
        setup: backbone and weights.
        sizes: numbers of images.
        progress: told about each size.

    Raises:
        ConfigError: fewer than two sizes, or one below 1.
        RunError: a measuring process failed.
        LobuleError: the weights cannot be used, or Keras is not installed.
    """
    if len(set(sizes)) < 2 or min(sizes) < 1:
        raise ConfigError(f"--sizes {','.join(map(str, sizes))}: at least two numbers of images are needed.")
    seconds, peaks, wanted = [], [], sorted(set(sizes))
    with fresh_cache() as scratch:
        spec = encoder_spec(setup.features, seed=setup.seed)
        engine = open_engine(spec)
        for done, size in enumerate(wanted):
            progress("sizes", done, len(wanted))
            measured = _measured(setup, size, scratch)
            seconds.append(measured["seconds"])
            peaks.append(measured["peak_bytes"] / _GB)
        progress("sizes", len(wanted), len(wanted))
    workload = {
        "backbone": spec.backbone,
        "weights": f"{spec.weights.kind}, digest {spec.weights.digest[:12]}",
        "engine": f"{engine.name}, {engine.precision}",
        "images": "64x64 BMP of noise, each with one pixel of its own",
        "views": "identity",
    }
    return _result(workload, wanted, seconds, peaks)


def line_through(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float, float]:
    """Return slope and intercept of the line with the least relative residuals, and the largest of them.

    Args:
        sizes: numbers of images.
        seconds: as many times.

    Returns:
        Seconds an image; seconds; max of |seconds - line| / seconds.

    >>> slope, start, residual = line_through([1, 2, 4], [1.5, 2.5, 4.5])
    >>> round(slope, 9), round(start, 9), round(residual, 9)
    (1.0, 0.5, 0.0)
    """
    weights = 1 / np.asarray(seconds)
    slope, start = np.polyfit(sizes, seconds, 1, w=weights)
    line = slope * np.asarray(sizes) + start
    return float(slope), float(start), float(np.abs((seconds - line) * weights).max())


def _measured(setup: Setup, size: int, scratch: Path) -> dict[str, float]:
    request = {
        "backbone": setup.backbone,
        "weights": setup.weights,
        "seed": setup.seed,
        "images": size,
        "scratch": str(scratch),
    }
    done = subprocess.run(
        [sys.executable, *CHILD, json.dumps(request)], env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = next(iter(reversed(done.stderr.strip().splitlines())), "no output")
        raise RunError(f"--sizes {size}: the measuring process failed: {last}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _result(workload: dict[str, str], sizes: list[int], seconds: list[float], peaks: list[float]) -> Result:
    slope, _, residual = line_through(sizes, seconds)
    series = [
        *(Series(f"scale_{size}", "s", (value,)) for size, value in zip(sizes, seconds, strict=True)),
        *(Series(f"scale_{size}_peak", "GB", (value,)) for size, value in zip(sizes, peaks, strict=True)),
        Series("scale_slope", "s/image", (slope,)),
    ]
    ratios = (
        Ratio("scale_residual", residual, "largest |time - line| / time", at_most=_RESIDUAL),
        Ratio("scale_peak_vs_limit", max(peaks) / _LARGEST_GB, f"largest peak / {_LARGEST_GB} GB", at_most=1.0),
        Ratio("scale_peak_growth", peaks[-1] / peaks[0], f"peak of {sizes[-1]} / peak of {sizes[0]} images"),
    )
    notes = ("Each size in a process of its own; its peak of resident memory, the features themselves included.",)
    return Result("scale", workload, tuple(series), ratios, notes=notes)
