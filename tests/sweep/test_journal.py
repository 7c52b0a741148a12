from __future__ import annotations

from pathlib import Path

import pytest

from lobule.errors import RunError
from lobule.sweep.inner_score import InnerScore
from lobule.sweep.journal import SearchJournal

SCORES = {"fold 1": InnerScore(0.75, 3), "final": InnerScore(1 / 3, 12)}


def written(path: Path) -> None:
    with SearchJournal(path, origin={"run": "a"}) as journal:
        journal.add("full", "first", SCORES)
        journal.add("full", "second", {"fold 1": InnerScore(0.5, 1)})


def test_scores_come_back_to_the_bit(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    with SearchJournal(tmp_path / "journal", origin={"run": "a"}) as journal:
        assert journal.known("full", "first", "final") == SCORES["final"]
        assert journal.known("screened", "first", "final") is None
        assert journal.known("full", "second", "final") is None


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    written(path)
    path.write_bytes(path.read_bytes()[:-cut])
    with SearchJournal(path, origin={"run": "a"}) as journal:
        assert journal.known("full", "first", "fold 1") == SCORES["fold 1"]
        assert journal.known("full", "second", "fold 1") is None
        journal.add("full", "third", SCORES)
    with SearchJournal(path, origin={"run": "a"}) as journal:
        assert journal.known("full", "third", "final") == SCORES["final"]


@pytest.mark.parametrize("line", ["no JSON", "{}", '{"stage": "full", "configuration": "x", "scores": {"a": [1]}}'])
def test_what_is_no_score_ends_the_journal(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal"
    written(path)
    with path.open("a") as stream:
        stream.write(f"{line}\n")
    with SearchJournal(path, origin={"run": "a"}) as journal:
        assert journal.known("full", "second", "fold 1") == InnerScore(0.5, 1)
    assert line not in path.read_text()


def test_two_searches_do_not_write_to_one_journal(tmp_path: Path) -> None:
    with SearchJournal(tmp_path / "journal", origin={}), pytest.raises(RunError, match="another process is writing"):
        SearchJournal(tmp_path / "journal", origin={})


def test_a_journal_of_another_origin_is_begun_anew(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    with SearchJournal(tmp_path / "journal", origin={"run": "b"}) as journal:
        assert journal.known("full", "first", "final") is None
