from __future__ import annotations

import sys
from itertools import count

import pytest

from lobule.cli.console import show_json, show_table, shown_progress


def test_elsewhere_than_on_a_terminal_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(step=2)
    monkeypatch.setattr("lobule.cli.console.time.monotonic", lambda: float(next(clock)))
    with shown_progress() as progress:
        for done in range(1, 11):
            progress("scan", done, 10)
        progress("walk", 3, 0)
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert (lines[0], lines[-2], lines[-1]) == ("scan: 1/10", "scan: 10/10", "walk: 3/?")
    assert 3 < len(lines) < 11
    assert shown.out == ""


def test_on_a_terminal_progress_is_a_bar_a_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with shown_progress() as progress:
        progress("scan", 1, 2)
        progress("scan", 2, 2)
        progress("train", 1, 0)
    shown = capsys.readouterr()
    assert "scan" in shown.err
    assert "train" in shown.err
    assert shown.out == ""


def test_json_has_no_numbers_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        show_json({"auroc": float("nan")})
    show_json({"names": ["Zellkern-Größe"]})
    assert "Größe" in capsys.readouterr().out


def test_a_table_in_a_file_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("Scores", ["metric", *(f"rival number {i}" for i in range(5))], [["auroc", *["0.123"] * 5]])
    assert "rival number 4" in capsys.readouterr().out
