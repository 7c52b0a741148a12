from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.inference.answers import Answer
from lobule.inference.journal import Journal, Stamp, stamp_of

ORIGIN = {"model_id": "a"}
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _entries(count: int, start: int = 0) -> list[tuple[Stamp, Answer]]:
    return [
        (Stamp(f"/images/{k}\n.png", k, k), Answer(f"{k:064x}", {"binary": np.array([k / 3])}))
        for k in range(start, start + count)
    ]


def _read(path: Path) -> dict[Stamp, Answer]:
    with Journal(path, origin=ORIGIN, resume=True) as journal:
        return dict(journal.answers)


@given(logits=st.lists(FINITE, min_size=8, max_size=8))
def test_numbers_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, logits: list[float]) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    answer = Answer("0" * 64, {"binary": np.array(logits[:1]), "subtype": np.array(logits)})
    with Journal(path, origin=ORIGIN, resume=False) as journal:
        journal.append([(Stamp("/a.png", 1, 2), answer)])
    again = _read(path)[Stamp("/a.png", 1, 2)]
    assert again.pixel_sha256 == answer.pixel_sha256
    for task in answer.logits:
        np.testing.assert_array_equal(again.logits[task], answer.logits[task])


def test_a_journal_cut_at_any_byte_keeps_the_whole_lines_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path, origin=ORIGIN, resume=False) as journal:
        journal.append(_entries(3))
    content = path.read_bytes()
    for cut in range(0, len(content), 7):
        path.write_bytes(content[:cut])
        expected = max(0, content[:cut].count(b"\n") - 1)
        with Journal(path, origin=ORIGIN, resume=True) as journal:
            assert len(journal.answers) == expected
            journal.append(_entries(2, start=10))
        assert len(_read(path)) == expected + 2


def test_garbage_ends_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path, origin=ORIGIN, resume=False) as journal:
        journal.append(_entries(2))
    content = path.read_bytes()
    for garbage in (b"\x00\xff\n", b"[]\n", b'{"path": "/a"}\n', b"5\n"):
        path.write_bytes(content + garbage + content)
        assert len(_read(path)) == 2


def test_answers_of_another_origin_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path, origin={"model_id": "b"}, resume=False) as journal:
        journal.append(_entries(3))
    assert _read(path) == {}


def test_without_resume_it_starts_anew_and_discarded_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "j"
    for _ in range(2):
        with Journal(path, origin=ORIGIN, resume=False) as journal:
            assert journal.answers == {}
            journal.append(_entries(1))
    with Journal(path, origin=ORIGIN, resume=True) as journal:
        journal.discard()
    assert not path.exists()


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert stamp_of(path).size == -1
    path.write_bytes(b"abc")
    before = stamp_of(path)
    path.write_bytes(b"abcd")
    assert (before.size, stamp_of(path).size) == (3, 4)
    assert before.path == stamp_of(path).path == str(path)
