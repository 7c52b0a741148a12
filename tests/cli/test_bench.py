from __future__ import annotations

import pytest

from lobule.bench import run
from lobule.bench.machine import machine
from lobule.bench.results import Report
from tests.bench.test_results import RESULT
from tests.bench.tiny_application import tiny_application
from tests.cli.conftest import Lobule


@pytest.mark.keras
def test_json_and_progress(lobule: Lobule) -> None:
    with tiny_application():
        shown = lobule("bench", "encode", "--quick", "--backbone", "tiny", "--json")
    assert shown.code == 0
    assert {"machine", "command", "medians", "ratios"} <= set(shown.json)
    assert "measurements" in shown.err


def test_the_tables_tell_what_the_json_tells(lobule: Lobule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "run_benchmarks", lambda *given, **options: Report(machine(), "lobule bench", [RESULT]))
    document = lobule("bench", "train", "--quick", "--json").json
    shown = lobule("bench", "train", "--quick").out
    told = [*document["medians"], *document["ratios"], *document["skipped"], *document["skipped"].values()]
    assert [name for name in [*told, "images: three", "a note", "not met", "extrapolated"] if name not in shown] == []
    assert "the numbers say nothing about speed" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dream"], "QUESTION dream: unknown; allowed: encode, train, predict, serve"),
        (["encode", "--backbone", "none"], "--backbone none: unknown"),
        (["encode", "--images", "0"], "--images 0: allowed are 1 and more"),
        (["predict", "--scale", "--sizes", "1,2"], "--scale: belongs to"),
        (["encode", "--scale"], "--scale: belongs to"),
        (["encode", "--sizes", "1,2"], "--scale: belongs to"),
        (["encode", "--scale", "--sizes", "1,many"], "--sizes 1,many: expected numbers"),
        (["encode", "--quick", "--data", "nowhere", "--weights", "nowhere.h5"], "--weights nowhere.h5: no such file"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_exit_1_and_named(lobule: Lobule, arguments: list[str], message: str) -> None:
    shown = lobule("bench", *arguments)
    assert shown.code == 1
    assert message in shown.err
