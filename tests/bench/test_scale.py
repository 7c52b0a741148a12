from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lobule.bench import scale
from lobule.bench.scale import bench_scale, line_through
from lobule.bench.scale_child import write_distinct
from lobule.bench.setup import Setup
from lobule.data.images import decode, pixel_sha256
from lobule.errors import ConfigError, RunError


@pytest.mark.keras
def test_time_and_memory_by_size(tiny: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "CHILD", ["-m", "tests.bench.tiny_application"])
    result = bench_scale(tiny, sizes=[12, 4])
    medians = {series.name: series.median for series in result.series}
    assert {"scale_4", "scale_12", "scale_4_peak", "scale_12_peak", "scale_slope"} == set(medians)
    assert all(math.isfinite(value) for value in medians.values())
    assert medians["scale_4"] > 0
    ratios = {ratio.name: ratio.value for ratio in result.ratios}
    assert ratios["scale_peak_growth"] == medians["scale_12_peak"] / medians["scale_4_peak"]
    assert ratios["scale_residual"] >= 0


@pytest.mark.keras
def test_a_measuring_process_that_fails_is_said(tiny: Setup) -> None:
    with pytest.raises(RunError, match=r"--sizes 4: the measuring process failed: .*--backbone tiny: unknown"):
        bench_scale(tiny, sizes=[4, 8])


def test_one_size_makes_no_line() -> None:
    with pytest.raises(ConfigError, match="--sizes 4: at least two"):
        bench_scale(Setup(), sizes=[4])


def test_a_bend_is_seen_in_the_residual() -> None:
    assert line_through([1, 4, 16, 64], [1, 4, 16, 64])[2] == pytest.approx(0, abs=1e-9)
    assert line_through([1, 4, 16, 64], [1, 4, 32, 256])[2] > 0.2


def test_the_peak_is_that_of_the_process_alone() -> None:
    ours = np.ones(600 * 2**20, dtype=np.uint8)
    code = "import numpy, lobule.bench.scale_child as child; a = numpy.ones({}); print(child.peak_bytes())"
    small, large = (
        int(subprocess.run([sys.executable, "-c", code.format(n)], capture_output=True, text=True, check=True).stdout)
        for n in (1, 25 * 2**20)
    )
    assert small < len(ours)
    assert large - small == pytest.approx(200 * 2**20, rel=0.1)


def test_no_two_files_are_the_same(tmp_path: Path) -> None:
    manifest = write_distinct(tmp_path / "sized", 300)
    frame = manifest.frame
    assert frame["pixel_sha256"].nunique() == 300
    for row in (0, 257, 299):
        assert pixel_sha256(decode(manifest.paths[row])) == frame["pixel_sha256"].iloc[row]
