"""Measuring: rivals take turns, so that what slows the machine down slows down all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from lobule.progress import Progress, silent

__all__ = ["alternately", "seconds_of"]


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternately(
    contenders: Mapping[str, Callable[[], float]], *, repeats: int, progress: Progress = silent
) -> dict[str, tuple[float, ...]]:
    """Measure every contender once, then every one again: A B A B ...

    Args:
        contenders: by name, a function that does the work and returns what was measured.
        repeats: number of rounds.
        progress: told about each measurement.

    Returns:
        By name, `repeats` values.
    """
    values: dict[str, list[float]] = {name: [] for name in contenders}
    total, done = repeats * len(contenders), 0
    for _ in range(repeats):
        for name, measure in contenders.items():
            values[name].append(measure())
            done += 1
            progress("measurements", done, total)
    return {name: tuple(each) for name, each in values.items()}
