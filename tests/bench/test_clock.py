from __future__ import annotations

import time

from lobule.bench.clock import alternately, seconds_of


def test_contenders_take_turns() -> None:
    turns: list[str] = []
    told: list[tuple[int, int]] = []

    def contender(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    values = alternately(
        {"a": lambda: contender("a"), "b": lambda: contender("b")},
        repeats=3,
        progress=lambda stage, done, total: told.append((done, total)),
    )
    assert turns == ["a", "b"] * 3
    assert values == {"a": (1.0, 3.0, 5.0), "b": (2.0, 4.0, 6.0)}
    assert told == [(done, 6) for done in range(1, 7)]


def test_seconds_are_those_of_the_call() -> None:
    assert seconds_of(lambda: time.sleep(0.01)) >= 0.01
