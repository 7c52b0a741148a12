from __future__ import annotations

import json

import pytest

from lobule.bench.run import QUESTIONS, run_benchmarks
from lobule.bench.setup import Setup
from lobule.errors import ConfigError


def test_every_question_has_a_benchmark() -> None:
    assert list(QUESTIONS) == ["encode", "train", "predict", "serve"]
    for name, load in QUESTIONS.items():
        assert load().__name__ == f"bench_{name}"  # type: ignore[attr-defined]


def test_an_unknown_question_is_refused_before_anything_is_measured() -> None:
    with pytest.raises(ConfigError, match="QUESTION slide: unknown; allowed: encode, train, predict, serve"):
        run_benchmarks(Setup(), ["encode", "slide"])


@pytest.mark.keras
def test_a_report_says_where_and_how(tiny: Setup) -> None:
    document = run_benchmarks(tiny, ["encode"], command="lobule bench encode --quick").to_json()
    json.dumps(document, allow_nan=False)
    assert document["command"] == "lobule bench encode --quick"
    assert document["machine"]["usable_cores"] >= 1
    assert document["machine"]["packages"]["openvino"]
    assert set(document["workload"]) == {"encode"}
