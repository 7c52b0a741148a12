from __future__ import annotations

import math
from pathlib import Path

import pytest

from lobule.bench import serve
from lobule.bench.serve import bench_serve
from lobule.bench.setup import Setup
from lobule.errors import RunError

pytestmark = pytest.mark.keras


@pytest.mark.slow
def test_clients_a_predictor_and_a_crowd(tiny: Setup) -> None:
    pytest.importorskip("fastapi")
    result = bench_serve(tiny)
    medians = {series.name: series.median for series in result.series}
    ratios = {ratio.name: ratio.value for ratio in result.ratios}
    rates = {"predictor_batch", "serve_1", "serve_8", "serve_32"}
    times = {f"serve_{clients}_{name}" for clients in (1, 8, 32) for name in ("p50", "p99")}
    assert set(medians) == {*rates, *times, "crowd_answered", "crowd_shed"}
    assert all(math.isfinite(medians[name]) and medians[name] > 0 for name in rates | times)
    for clients in (1, 8, 32):
        assert medians[f"serve_{clients}_p99"] >= medians[f"serve_{clients}_p50"]
        expected = medians[f"serve_{clients}"] / medians["predictor_batch"]
        assert ratios[f"serve_{clients}_vs_predictor"] == expected
    assert medians["crowd_answered"] + medians["crowd_shed"] == 12
    assert (ratios["serve_failed"], ratios["crowd_strange"], ratios["crowd_recovered"]) == (0, 0, 1)


def test_without_the_extra_it_is_skipped_with_the_line_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    (skipped,) = bench_serve(Setup()).skipped
    assert skipped.remedy == 'pip install "lobule[serve]"'


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"did not start: .*expected a bundle"), serve._server(tmp_path, tmp_path):
        pass
