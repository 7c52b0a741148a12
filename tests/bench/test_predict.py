from __future__ import annotations

import math

import pytest

from lobule.bench import predict
from lobule.bench.predict import bench_predict
from lobule.bench.setup import Setup
from lobule.errors import RunError

pytestmark = pytest.mark.keras


@pytest.mark.slow
def test_cold_and_warm_answers(tiny: Setup) -> None:
    result = bench_predict(tiny)
    medians = {series.name: series.median for series in result.series}
    ratios = {ratio.name: ratio.value for ratio in result.ratios}
    assert set(medians) == {
        "predict_cold",
        "keras_script_cold",
        "python_cold",
        "predictor_single",
        "predictor_single_p99",
        "engine_single",
    }
    assert all(math.isfinite(value) and value > 0 for value in [*medians.values(), *ratios.values()])
    assert ratios["predict_cold_vs_keras_script"] == medians["predict_cold"] / medians["keras_script_cold"]
    assert ratios["predictor_p99_vs_engine"] == medians["predictor_single_p99"] / medians["engine_single"]
    assert medians["predictor_single_p99"] >= medians["predictor_single"]


def test_a_child_that_fails_is_not_a_time() -> None:
    with pytest.raises(RunError, match="ended with 3"):
        predict._child_seconds("-c", "import sys; sys.exit(3)")
