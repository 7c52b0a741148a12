from __future__ import annotations

import json

import pytest

from lobule.bench.results import Ratio, Report, Result, Series, Skipped
from lobule.errors import ConfigError

RESULT = Result(
    "encode",
    {"images": "three"},
    (Series("encode", "images/s", (3.0, 1.0, 2.0)), Series("notebook", "s", (9.0,), extrapolated=True)),
    (Ratio("fast", 2.0, "a / b", at_least=1.8), Ratio("short", 0.5, "c / d", at_most=0.4), Ratio("free", 1.0, "e / f")),
    (Skipped("torch", "pip install torch"),),
    ("a note",),
)


def test_a_median_is_the_middle_one() -> None:
    assert RESULT.median("encode") == 2.0
    with pytest.raises(ConfigError, match="torch: not measured; measured: encode, notebook"):
        RESULT.median("torch")


def test_a_target_is_met_or_not_or_not_there() -> None:
    assert [ratio.is_met for ratio in RESULT.ratios] == [True, False, None]
    assert [ratio.target for ratio in RESULT.ratios] == ["at least 1.8", "at most 0.4", ""]


def test_the_json_is_flat_by_name() -> None:
    document = Report({"cores": 2}, "lobule bench", [RESULT]).to_json()
    assert json.loads(json.dumps(document)) == document
    assert document["machine"] == {"cores": 2}
    assert document["command"] == "lobule bench"
    assert document["medians"] == {"encode": 2.0, "notebook": 9.0}
    assert document["units"] == {"encode": "images/s", "notebook": "s"}
    assert document["extrapolated"] == ["notebook"]
    assert document["ratios"] == {"fast": 2.0, "short": 0.5, "free": 1.0}
    assert document["targets"]["short"] == {"at_least": None, "at_most": 0.4, "met": False}
    assert document["skipped"] == {"torch": "pip install torch"}
