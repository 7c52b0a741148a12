"""Requests become batches: whatever waits is streamed through the predictor, in turns between requests.

A stream of the predictor looks ahead, so it would hold a lone image back until others come. A stream here therefore
ends as soon as nothing waits, and another thread begins the next one meanwhile: while the first is emptied, the second
keeps the cores busy.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from lobule.errors import ImageError
from lobule.inference.answers import Answer
from lobule.inference.predictor import Load, Predictor

__all__ = ["BusyError", "Dispatcher", "Outcome"]

Outcome = Answer | ImageError
_STREAMS: Final = 2
_SMOOTHING: Final = 0.1
_T = TypeVar("_T")


class BusyError(Exception):
    """More is waiting than the queue takes, or nothing is accepted any more."""


@dataclass(eq=False)
class _Job:
    """An image to be answered (`load`), or other work that needs the model (`call`)."""

    load: Load | None = None
    call: Callable[[], Any] | None = None
    future: Future[Any] = field(default_factory=Future)


class Dispatcher:
    """Answers images of many requests with one predictor, a bounded number of them waiting.

    Args:
        predictor: the model.
        capacity: jobs that may wait, of all requests together.
    """

    def __init__(self, predictor: Predictor, *, capacity: int) -> None:
        self._predictor = predictor
        self._capacity = capacity
        self._waiting: deque[deque[_Job]] = deque()
        self._count = 0
        self._is_open = True
        self._pace, self._last = 0.0, time.monotonic()
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"lobule-serve-{number}", daemon=True)
            for number in range(_STREAMS)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Number of jobs that have not been begun."""
        return self._count

    @property
    def seconds_waiting(self) -> float:
        """About how long a new job would wait, by the pace of the last ones; 0 where nothing waits."""
        return self._count * self._pace

    @property
    def is_ready(self) -> bool:
        """Whether another job would be accepted and worked on."""
        return self._is_open and self._count < self._capacity and all(thread.is_alive() for thread in self._threads)

    def submit(self, loads: Sequence[Load]) -> list[Future[Outcome]]:
        """Queue the images of a request, all or none; each future gets the answer, or why there is none.

        Raises:
            BusyError: there is no room for all of them.
        """
        return self._queue([_Job(load=load) for load in loads])

    def call(self, function: Callable[[], _T]) -> list[Future[_T]]:
        """Queue other work that needs the model; the one future gets what it returns.

        Raises:
            BusyError: there is no room.
        """
        return self._queue([_Job(call=function)])

    def close(self) -> None:
        """Accept nothing more, finish what was accepted, and end the threads."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _queue(self, jobs: list[_Job]) -> list[Future[Any]]:
        with self._changed:
            if not self._is_open or self._count + len(jobs) > self._capacity:
                raise BusyError
            self._waiting.append(deque(jobs))
            self._count += len(jobs)
            self._changed.notify_all()
        return [job.future for job in jobs]

    def _take(self) -> _Job | None:
        """Wait for a job and begin it; None when the dispatcher is closed and empty."""
        with self._changed:
            while not self._waiting:
                if not self._is_open:
                    return None
                self._changed.wait()
            return self._next()

    def _take_image(self) -> _Job | None:
        """Begin the next job if it is an image and is there already."""
        with self._changed:
            if not self._waiting or self._waiting[0][0].load is None:
                return None
            return self._next()

    def _next(self) -> _Job:
        """Take one job of the request whose turn it is; its others come after those of the other requests."""
        request = self._waiting.popleft()
        job = request.popleft()
        if request:
            self._waiting.append(request)
        self._count -= 1
        self._keep_pace()
        return job

    def _keep_pace(self) -> None:
        """Average the seconds between one begun job and the next, while there were always some."""
        now = time.monotonic()
        if self._count:
            self._pace += _SMOOTHING * (now - self._last - self._pace)
        self._last = now

    def _work(self) -> None:
        while (job := self._take()) is not None:
            if job.call is not None:
                _do(job.future, job.call)
            else:
                self._stream(job)

    def _stream(self, first: _Job) -> None:
        """Answer an image and whatever waits by then."""
        begun: deque[_Job] = deque()
        try:
            with closing(self._predictor.stream(self._loads(first, begun))) as answers:
                for answer in answers:
                    begun.popleft().future.set_result(answer)
        except Exception:  # noqa: BLE001 -- one image must not take the answers of others with it: each is tried alone
            for job in begun:
                self._alone(job)

    def _loads(self, first: _Job, begun: deque[_Job]) -> Generator[Load, None, None]:
        job: _Job | None = first
        while job is not None:
            if job.load is not None and job.future.set_running_or_notify_cancel():
                begun.append(job)
                yield job.load
            job = self._take_image()

    def _alone(self, job: _Job) -> None:
        load = job.load
        assert load is not None
        try:
            with closing(self._predictor.stream([load])) as answers:
                job.future.set_result(next(answers))
        except Exception as error:  # noqa: BLE001 -- the boundary of a job: whoever waits for it is told
            job.future.set_exception(error)


def _do(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 -- the boundary of a job: whoever waits for it is told
        future.set_exception(error)
