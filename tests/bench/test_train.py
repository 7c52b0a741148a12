from __future__ import annotations

import math

import pytest

from lobule.bench.notebook import extrapolated
from lobule.bench.second_run import simulated_manifest
from lobule.bench.setup import Setup
from lobule.bench.train import bench_train


@pytest.mark.keras
@pytest.mark.slow
def test_the_job_the_notebook_and_a_second_run(tiny: Setup) -> None:
    result = bench_train(tiny)
    series = {each.name: each for each in result.series}
    assert all(math.isfinite(value) and value >= 0 for each in series.values() for value in each.values)
    ratios = {ratio.name: ratio.value for ratio in result.ratios}
    assert ratios["job_vs_notebook"] == series["notebook"].median / series["job"].median
    assert [name for name, each in series.items() if each.extrapolated] == ["notebook"]
    assert len(series["notebook_epoch"].values) == 3
    assert series["notebook"].median == pytest.approx(extrapolated(list(series["notebook_epoch"].values)))
    stages = {name.removeprefix("job_") for name in series if name.startswith("job_")}
    assert stages == {"data", "features", "training", "evaluation", "model", "report"}
    assert sum(series[f"job_{stage}"].median for stage in stages) <= series["job"].median + 0.1
    parts = [each.median for name, each in series.items() if name.startswith("breakhis_second_run_")]
    assert series["breakhis_second_run"].median == pytest.approx(sum(parts))


def test_what_is_not_measured_is_reckoned_by_the_usual_epoch() -> None:
    assert extrapolated([5.0, 2.0, 2.0], epochs=20) == 9 + 17 * 2
    assert extrapolated([4.0], epochs=2) == 8


def test_the_simulated_data_set_is_of_the_shape_of_breakhis() -> None:
    frame = simulated_manifest(7909).frame
    assert len(frame) == 7909
    assert frame["case_id"].nunique() == 70
    assert frame["subtype"].nunique() == 8
    assert set(frame["magnification"]) == {40, 100, 200, 400}
