from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lobule.errors import DataError
from lobule.features.turns import in_turns, loaded_ahead


def _load(job: int) -> Sequence[NDArray[np.uint8]]:
    return [np.full((2, 2, 3), job % 256, np.uint8)] * (1 + job % 3)


def _encode(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return image[0, 0, :2].astype(np.float32)


@given(count=st.integers(0, 70), threads=st.integers(1, 5))
def test_every_job_is_answered_in_order_whatever_the_number_of_threads(count: int, threads: int) -> None:
    rows = list(in_turns(range(count), _load, _encode, threads=threads))
    assert [row.shape for row in rows] == [(1 + job % 3, 2) for job in range(count)]
    assert [row[0, 0] for row in rows] == list(range(count))
    ahead = list(loaded_ahead(range(count), _load, threads=threads))
    assert [len(images) for images in ahead] == [len(row) for row in rows]


def test_what_came_before_a_failure_is_given_first() -> None:
    def load(job: int) -> Sequence[NDArray[np.uint8]]:
        if job == 37:
            raise DataError("broken")
        return _load(job)

    rows = in_turns(range(100), load, _encode, threads=3)
    assert [next(rows)[0, 0] for _ in range(37)] == list(range(37))
    with pytest.raises(DataError, match="broken"):
        next(rows)


def test_only_a_few_groups_are_loaded_ahead_of_what_is_taken() -> None:
    loaded: list[int] = []

    def load(job: int) -> Sequence[NDArray[np.uint8]]:
        loaded.append(job)
        return _load(job)

    rows = in_turns(range(1000), load, _encode, threads=2)
    next(rows)
    time.sleep(0.2)  # time enough to run away, were nothing in the way
    assert len(loaded) <= 5 * 8
    assert len(list(rows)) == 999


def test_as_many_threads_as_asked_work_at_once() -> None:
    together = threading.Barrier(3, timeout=20)

    def load(job: int) -> Sequence[NDArray[np.uint8]]:
        if job in (0, 8, 16):  # the first of each group
            together.wait()
        return _load(job)

    assert len(list(in_turns(range(200), load, _encode, threads=3))) == 200
