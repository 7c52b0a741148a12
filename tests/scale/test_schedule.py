"""The schedule, with workers that are played here: who dies when is decided by each test."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.errors import RunError
from lobule.scale.schedule import Lost, WorkerDiedError, work_through

Verdict = Callable[[int, Sequence[int]], bool]
"""Whether the worker of a place dies of a batch."""


@dataclass(eq=False)
class _Token:
    slot: int
    items: Sequence[int] | None


@dataclass
class _Played:
    """A crew whose workers double numbers; it fails on anything that a crew may rely on."""

    size: int
    dies: Verdict = lambda slot, items: False
    dies_at_start: Callable[[int], bool] = lambda slot: False
    blind: set[int] = field(default_factory=set)
    newest_first: bool = False
    queues: dict[int, deque[_Token]] = field(default_factory=dict)
    sent: list[list[int]] = field(default_factory=list)
    done: Counter[int] = field(default_factory=Counter)
    most_in_flight: int = 0
    starts: int = 0

    def start(self, slot: int) -> object:
        self.starts += 1
        token = _Token(slot, None)
        self.queues[slot] = deque([token])
        return token

    def send(self, slot: int, items: Sequence[int]) -> object:
        assert items
        token = _Token(slot, list(items))
        self.queues[slot].append(token)
        assert self.queues[slot][0].items is not None, "sent to a worker that has not started"
        self.sent.append(list(items))
        self.most_in_flight = max(self.most_in_flight, len(self.queues[slot]))
        return token

    def wait(self, tokens: Sequence[object], *, starting: bool) -> object:
        assert starting == all(isinstance(token, _Token) and token.items is None for token in tokens)
        return tokens[-1 if self.newest_first else 0]

    def result(self, slot: int, token: object) -> Sequence[int | None]:
        assert isinstance(token, _Token)
        assert self.queues[slot].popleft() is token, "the oldest comes first"
        if token.items is None:
            if self.dies_at_start(slot):
                raise WorkerDiedError("out of memory")
            return ()
        if self.dies(slot, token.items):
            self.queues[slot].clear()
            raise WorkerDiedError("killed")
        results = [None if item in self.blind else 2 * item for item in token.items]
        self.blind -= set(token.items)
        self.done.update(item for item, result in zip(token.items, results, strict=True) if result is not None)
        return results


def _outcome(crew: _Played, count: int) -> dict[int, int | Lost]:
    outcome: dict[int, int | Lost] = {}
    for done in work_through(range(count), crew):
        assert done, "an event without a result is not yielded"
        assert not outcome.keys() & {item for item, _ in done}, "an item twice"
        outcome.update(done)
    return outcome


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 300])
@pytest.mark.parametrize("newest_first", [False, True])
def test_everything_is_done_once(size: int, count: int, newest_first: bool) -> None:
    crew = _Played(size, newest_first=newest_first)
    assert _outcome(crew, count) == {item: 2 * item for item in range(count)}
    assert set(crew.done.values()) <= {1}
    assert crew.starts == (min(size, count) if count else 0)


def test_two_batches_a_worker_are_in_flight_and_no_more() -> None:
    crew = _Played(3)
    _outcome(crew, 1000)
    assert crew.most_in_flight == 2


def test_nothing_is_sent_while_results_are_held() -> None:
    crew = _Played(2)
    results = work_through(range(1000), crew)
    next(results)
    sent = len(crew.sent)
    assert 0 < sent <= 4
    for held in range(1, 9):
        next(results)
        assert len(crew.sent) == sent + held


def test_batches_get_smaller_towards_the_end() -> None:
    crew = _Played(2)
    _outcome(crew, 400)
    sizes = [len(batch) for batch in crew.sent]
    assert sizes[0] == 16
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-4:] == [1, 1, 1, 1]


def test_a_killed_worker_costs_its_batch_which_is_sent_again_first() -> None:
    killed: list[list[int]] = []

    def dies(_: int, items: Sequence[int]) -> bool:
        if len(crew.sent) >= 6 and not killed:
            killed.append(list(items))
            return True
        return False

    crew = _Played(2, dies)
    assert _outcome(crew, 300) == {item: 2 * item for item in range(300)}
    again = [batch for batch in crew.sent if batch == killed[0]]
    assert len(again) == 2
    assert set(crew.done.values()) == {1}
    assert crew.starts == 3


@given(st.integers(1, 4), st.integers(1, 120), st.lists(st.booleans(), max_size=7), st.booleans())
def test_deaths_at_any_moment_change_nothing(size: int, count: int, fate: list[bool], newest_first: bool) -> None:
    """Fewer deaths than give a place up, whoever they strike; no item dies by itself, so none is lost."""
    coming = iter(fate)
    crew = _Played(size, lambda slot, items: len(items) > 1 and next(coming, False), newest_first=newest_first)
    assert _outcome(crew, count) == {item: 2 * item for item in range(count)}
    assert set(crew.done.values()) == {1}


@given(st.integers(1, 4), st.integers(1, 120), st.data())
def test_poisonous_items_are_lost_and_nothing_else(size: int, count: int, data: st.DataObject) -> None:
    poison = data.draw(st.sets(st.integers(0, count - 1), max_size=3))
    crew = _Played(size, lambda slot, items: bool(poison & set(items)))
    outcome = _outcome(crew, count)
    assert {item for item, result in outcome.items() if isinstance(result, Lost)} == poison
    assert all(result == 2 * item for item, result in outcome.items() if item not in poison)
    assert all(outcome[item] == Lost("killed") for item in poison)
    assert sorted(outcome) == list(range(count))


def test_a_poisonous_item_ends_five_workers_and_no_more() -> None:
    crew = _Played(1, lambda slot, items: 5 in items)
    _outcome(crew, 200)
    assert crew.starts == 1 + 2 + 3
    assert [batch for batch in crew.sent if 5 in batch][2:] == [[5]] * 3


def test_what_a_worker_does_not_see_is_sent_again() -> None:
    crew = _Played(2, blind={3, 4, 77})
    assert _outcome(crew, 100) == {item: 2 * item for item in range(100)}
    assert sum(3 in batch for batch in crew.sent) == 2


def test_a_worker_that_dies_while_starting_is_started_again() -> None:
    tries = Counter[int]()

    def dies_at_start(slot: int) -> bool:
        tries[slot] += 1
        return tries[slot] < 4

    crew = _Played(1, dies_at_start=dies_at_start)
    assert len(_outcome(crew, 30)) == 30
    assert crew.starts == 4


def test_a_place_that_never_starts_is_given_up_and_the_others_do_its_work() -> None:
    crew = _Played(2, dies_at_start=lambda slot: slot == 0)
    assert len(_outcome(crew, 50)) == 50


def test_when_all_places_are_given_up_it_says_so() -> None:
    crew = _Played(2, dies_at_start=lambda slot: True)
    with pytest.raises(RunError, match=r"8 workers died .* 2 places .* memory"):
        _outcome(crew, 50)
    assert crew.starts == 16


def test_an_error_of_the_work_itself_ends_it() -> None:
    class _Refusing(_Played):
        def result(self, slot: int, token: object) -> Sequence[int | None]:
            raise RunError("no")

    with pytest.raises(RunError, match="no"):
        _outcome(_Refusing(1), 3)
