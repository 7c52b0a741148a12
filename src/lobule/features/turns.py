"""Loading and encoding take turns in as many threads as there are cores: no core waits, none is fought over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from lobule.errors import LobuleError, RunError

__all__ = ["Encode", "Load", "in_turns", "loaded_ahead", "result_of"]

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")
Load = Callable[[_Job], Sequence[NDArray[np.uint8]]]
"""Gives the (S, S, 3) RGB images of a job; called in threads."""
Encode = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Gives the (D,) features of an image; called in threads."""

_TOGETHER: Final = 8
_SHARES: Final = 4


def in_turns(jobs: Sequence[_Job], load: Load[_Job], encode: Encode, *, threads: int) -> Iterator[NDArray[np.float32]]:
    """Yield the (images, D) features of each job, in order.

    Every thread loads a few jobs, then encodes their images: the caches of its core hold either pictures or weights,
    and no thread is pushed aside in the middle of either. The groups get smaller towards the end, so that all threads
    end at about the same time. Only a few groups are in memory.

    Args:
        jobs: what is to be loaded.
        load: see `Load`; a job that fails ends the iteration, after what was before it.
        encode: see `Encode`.
        threads: how many work at once.

    Raises:
        LobuleError: what `load` or `encode` raised; RunError where a thread was stopped.
    """

    def work(group: Sequence[_Job]) -> tuple[list[NDArray[np.float32]], LobuleError | None]:
        loaded: list[Sequence[NDArray[np.uint8]]] = []
        failure = None
        try:
            loaded.extend(map(load, group))
        except LobuleError as error:  # raised in its turn
            failure = error
        return [np.stack([encode(image) for image in images]) for images in loaded], failure

    groups = _groups(jobs, threads)
    with ThreadPoolExecutor(threads, thread_name_prefix="encode") as pool:
        running = deque(pool.submit(work, group) for _, group in zip(range(2 * threads), groups, strict=False))
        try:
            while running:
                rows, failure = result_of(running.popleft())
                running.extend(pool.submit(work, group) for _, group in zip(range(1), groups, strict=False))
                yield from rows
                if failure:
                    raise failure
        finally:
            for future in running:
                future.cancel()


def loaded_ahead(jobs: Sequence[_Job], load: Load[_Job], *, threads: int) -> Iterator[Sequence[NDArray[np.uint8]]]:
    """Yield what `load` gives for each job, in order, a few jobs ahead of where it is taken.

    For an engine that has threads or a device of its own.
    """
    remaining = iter(jobs)
    with ThreadPoolExecutor(threads, thread_name_prefix="load") as pool:
        waiting = deque(pool.submit(load, job) for _, job in zip(range(2 * threads), remaining, strict=False))
        try:
            while waiting:
                loaded = result_of(waiting.popleft())
                waiting.extend(pool.submit(load, job) for _, job in zip(range(1), remaining, strict=False))
                yield loaded
        finally:
            for future in waiting:
                future.cancel()


def result_of(future: Future[_Result]) -> _Result:
    """Return what a thread of a pool gives.

    Raises:
        RunError: the thread was stopped.
    """
    try:
        return future.result()
    except SystemExit:  # Passed on, it would end the program as if all were done.
        raise RunError("a thread of this process was stopped in the middle of its work; repeat the command.") from None


def _groups(jobs: Sequence[_Job], threads: int) -> Iterator[Sequence[_Job]]:
    start = 0
    while start < len(jobs):
        size = max(1, min(_TOGETHER, (len(jobs) - start) // (_SHARES * threads)))
        yield jobs[start : start + size]
        start += size
