from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from lobule.model.side_by_side import side_by_side


def _threads_of_libraries() -> list[int]:
    return [library["num_threads"] for library in threadpool_info()]


def test_inside_every_library_uses_one_thread_and_outside_as_many_as_before() -> None:
    np.ones((4, 4)) @ np.ones((4, 4))
    before = _threads_of_libraries()
    with side_by_side(3) as pool:
        assert set(pool.submit(_threads_of_libraries).result()) == {1}
    assert _threads_of_libraries() == before


def test_results_keep_their_order_and_errors_come_through() -> None:
    with side_by_side(4) as pool:
        assert list(pool.map(lambda number: number**2, range(4))) == [0, 1, 4, 9]
        with pytest.raises(ZeroDivisionError):
            list(pool.map(lambda number: 1 // number, [1, 0]))


@pytest.mark.parametrize(("cores", "at_once"), [(3, 3), (1, 1)])
def test_no_more_run_at_once_than_there_are_cores(monkeypatch: pytest.MonkeyPatch, cores: int, at_once: int) -> None:
    monkeypatch.setattr("lobule.model.side_by_side.usable_cores", lambda: cores)
    together = threading.Barrier(at_once)
    with side_by_side(9) as pool:
        list(pool.map(lambda _: together.wait(timeout=60), range(9)))  # Breaks where fewer can meet.
        assert pool._max_workers == at_once  # type: ignore[attr-defined]
