"""Which worker does what, and what becomes of work whose worker died; knows nothing of Ray.

    waiting items -> batches -> at most two a worker in flight -> results, in the order in which they come

A batch whose worker died goes to the front of the queue. If two workers died of it, it is taken apart into its items,
each a batch of its own; an item of which three workers die is given up: a poisonous image ends nothing but itself.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from lobule.errors import RunError

__all__ = ["Crew", "Lost", "WorkerDiedError", "work_through"]

_LARGEST_BATCH: Final = 16
_SHARES: Final = 4
_IN_FLIGHT: Final = 2
_DEATHS_OF_A_BATCH: Final = 2
_DEATHS_OF_AN_ITEM: Final = 3
_DEATHS_OF_A_SLOT: Final = 8
"""Workers that may die one after the other in one place, nothing finished in between, before the place is given up."""

_log = logging.getLogger(__name__)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_In = TypeVar("_In", contravariant=True)
_Out = TypeVar("_Out", covariant=True)


class WorkerDiedError(Exception):
    """A worker, or the computer it ran on, is gone; the message says what is known of it."""


@dataclass(frozen=True)
class Lost:
    """In place of a result: the item killed every worker that tried it; `reason` is the last one's."""

    reason: str


class Crew(Protocol[_In, _Out]):
    """Workers in numbered places; a token, which can be hashed, stands for something that was asked of one.

    What one worker is asked is done in the order in which it was asked.

    Attributes:
        size: number of places, at least 1.
    """

    size: int

    def start(self, slot: int) -> object:
        """Begin to start a worker at a place, a new one where another was; the token's result is of no interest."""
        ...

    def send(self, slot: int, items: Sequence[_In]) -> object:
        """Ask a started worker to do items."""
        ...

    def wait(self, tokens: Sequence[object], *, starting: bool) -> object:
        """Return one of the tokens, as soon as one is done or its worker is dead.

        Args:
            tokens: at least one.
            starting: whether all are of workers that are being started.

        Raises:
            RunError: no worker can be started.
        """
        ...

    def result(self, slot: int, token: object) -> Sequence[_Out | None]:
        """Return the results of a done token, one an item; None: to be sent again, to this place or another.

        Raises:
            WorkerDiedError: the worker died before it was done.
            LobuleError: the work itself cannot be done.
        """
        ...


@dataclass
class _Batch(Generic[_Item]):
    items: Sequence[_Item]
    deaths: int = 0


@dataclass
class _Slot(Generic[_Item]):
    """A place: the token of a worker that is being started, what is in flight, oldest first, and deaths in a row."""

    start: object | None = None
    flying: deque[tuple[object, _Batch[_Item]]] = field(default_factory=deque)
    deaths: int = 0
    is_open: bool = True


def work_through(
    items: Sequence[_Item], crew: Crew[_Item, _Result]
) -> Iterator[Sequence[tuple[_Item, _Result | Lost]]]:
    """Let a crew do items; yield what is done as soon as it is, each item once, in any order.

    Nothing more is sent while the caller holds on to what was yielded, so results never pile up: at most two batches a
    worker are in flight. Batches get smaller towards the end, so that all workers end at about the same time.

    Args:
        items: what is to be done.
        crew: who does it.

    Raises:
        RunError: no worker can be started, or all places were given up.
        LobuleError: what the work itself raised.
    """
    yield from _Run(items, crew).results()


class _Run(Generic[_Item, _Result]):
    def __init__(self, items: Sequence[_Item], crew: Crew[_Item, _Result]) -> None:
        self._crew, self._items, self._taken = crew, items, 0
        self._again: deque[_Batch[_Item]] = deque()
        useful = min(crew.size, max(1, len(items)))
        self._slots: list[_Slot[_Item]] = [_Slot() for _ in range(useful)]
        self._left = len(items)

    def results(self) -> Iterator[Sequence[tuple[_Item, _Result | Lost]]]:
        if self._left:
            for number, slot in enumerate(self._slots):
                slot.start = self._crew.start(number)
        while self._left:
            self._fill()
            for done in self._next_event():
                self._left -= len(done)
                yield done

    def _fill(self) -> None:
        """Give every worker something to do, then something to go on with."""
        for depth in range(_IN_FLIGHT):
            for number, slot in enumerate(self._slots):
                if slot.is_open and slot.start is None and len(slot.flying) == depth and (batch := self._take()):
                    slot.flying.append((self._crew.send(number, batch.items), batch))

    def _take(self) -> _Batch[_Item] | None:
        if self._again:
            return self._again.popleft()
        remaining = len(self._items) - self._taken
        if not remaining:
            return None
        size = max(1, min(_LARGEST_BATCH, remaining // (_SHARES * len(self._slots))))
        batch = _Batch(self._items[self._taken : self._taken + size])
        self._taken += size
        return batch

    def _next_event(self) -> Iterator[Sequence[tuple[_Item, _Result | Lost]]]:
        tokens = {token: number for number, slot in enumerate(self._slots) for token in _tokens(slot)}
        if not tokens:
            raise RunError(
                f"--ray: {_DEATHS_OF_A_SLOT} workers died one after the other in each of {len(self._slots)} places and "
                "finished nothing in between; see the logs of Ray for the cause (often too little memory), then repeat "
                "the command: what was finished is kept."
            )
        starting = not any(slot.flying for slot in self._slots)
        number = tokens[self._crew.wait(list(tokens), starting=starting)]
        slot = self._slots[number]
        if slot.start is not None:
            self._started(number, slot)
        elif done := self._finished(number, slot):
            yield done

    def _started(self, number: int, slot: _Slot[_Item]) -> None:
        token, slot.start = slot.start, None
        try:
            self._crew.result(number, token)
        except WorkerDiedError as error:
            _log.info("a worker died while it was being started: %s", error)
            self._start_again(number, slot)

    def _finished(self, number: int, slot: _Slot[_Item]) -> list[tuple[_Item, _Result | Lost]]:
        """Take the result of the oldest batch: a worker does one after the other, so that one is done or dead."""
        token, batch = slot.flying.popleft()
        try:
            results = self._crew.result(number, token)
        except WorkerDiedError as error:
            return self._after_a_death(number, slot, batch, str(error))
        slot.deaths = 0
        pairs = list(zip(batch.items, results, strict=True))
        if unseen := [item for item, result in pairs if result is None]:
            self._again.appendleft(_Batch(unseen, batch.deaths))
        return [(item, result) for item, result in pairs if result is not None]

    def _after_a_death(
        self, number: int, slot: _Slot[_Item], batch: _Batch[_Item], reason: str
    ) -> list[tuple[_Item, _Result | Lost]]:
        """Queue again what the dead worker had been sent; only the batch it was at is under suspicion."""
        batch.deaths += 1
        _log.info("a worker died; the %d items it was at are sent again: %s", len(batch.items), reason)
        self._again.extendleft(waiting for _, waiting in reversed(slot.flying))
        slot.flying.clear()
        self._start_again(number, slot)
        if len(batch.items) == 1 and batch.deaths >= _DEATHS_OF_AN_ITEM:
            slot.deaths = 0
            return [(batch.items[0], Lost(reason))]
        if len(batch.items) > 1 and batch.deaths >= _DEATHS_OF_A_BATCH:
            self._again.extendleft(_Batch([item]) for item in reversed(batch.items))
        else:
            self._again.appendleft(batch)
        return []

    def _start_again(self, number: int, slot: _Slot[_Item]) -> None:
        slot.deaths += 1
        slot.is_open = slot.deaths < _DEATHS_OF_A_SLOT
        if slot.is_open:
            slot.start = self._crew.start(number)


def _tokens(slot: _Slot[_Item]) -> list[object]:
    return [slot.start] if slot.start is not None else [token for token, _ in slot.flying]
