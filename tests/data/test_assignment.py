from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.data.assignment import Balance, assign


def balance(counts: list[list[float]], shares: list[float], floors: list[list[float]] | None = None) -> Balance:
    table = np.array(counts, dtype=float)
    return Balance(
        counts=table,
        weights=np.ones(table.shape[1]),
        shares=np.array(shares),
        floors=np.zeros((len(shares), table.shape[1])) if floors is None else np.array(floors, dtype=float),
        penalties=np.full(table.shape[1], 100.0),
    )


def test_the_cost_is_the_sum_of_squared_relative_deviations() -> None:
    problem = balance([[3], [1]], [0.5, 0.5])
    assert problem.cost(np.array([0, 1])) == pytest.approx((1 / 2) ** 2 * 2)
    assert problem.cost(np.array([0, 0])) == pytest.approx(1.0 * 2)


def test_a_missed_floor_costs_its_penalty_for_each_missing_count() -> None:
    free = balance([[2], [2]], [0.5, 0.5])
    bound = balance([[2], [2]], [0.5, 0.5], [[0], [3]])
    together, apart = np.array([0, 0]), np.array([0, 1])
    assert bound.cost(together) == pytest.approx(free.cost(together) + 300)
    assert bound.cost(apart) == pytest.approx(free.cost(apart) + 100)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 1)), min_size=2, max_size=7), st.integers(0, 9))
def test_small_problems_are_solved_as_well_as_by_trying_everything(groups: list[tuple[int, int]], seed: int) -> None:
    problem = balance([list(group) for group in groups], [0.5, 0.5])
    best = min(problem.cost(np.array(parts)) for parts in itertools.product((0, 1), repeat=len(groups)))
    assert problem.cost(assign(problem, seed=(seed,))) == pytest.approx(best, rel=0.02, abs=0.02)


def test_floors_come_before_balance() -> None:
    problem = balance([[9, 1], [1, 1], [1, 0], [1, 0]], [0.8, 0.2], [[0, 1], [0, 1]])
    parts = assign(problem, seed=(0,))
    assert sorted(parts[:2].tolist()) == [0, 1]


def test_the_same_seed_gives_the_same_parts_and_another_seed_others() -> None:
    rng = np.random.default_rng(0)
    problem = balance(rng.integers(1, 50, (60, 3)).tolist(), [0.2] * 5)
    first, again, other = (assign(problem, seed=(seed,)) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert problem.cost(other) == pytest.approx(problem.cost(first), abs=0.05)


def test_many_groups_are_divided_evenly() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 50, (3000, 4)).astype(float)
    parts = assign(balance(counts.tolist(), [0.2] * 5), seed=(0,))
    sums = np.array([counts[parts == part].sum(axis=0) for part in range(5)])
    assert np.abs(sums / sums.mean(axis=0) - 1).max() < 0.01
