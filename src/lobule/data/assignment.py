"""Divides groups over parts so that several counts are in proportion in every part.

A few groups are divided in every possible way; more by random restarts of a greedy filling, each followed by the best
moves and swaps until none helps. Rows of the count matrix are groups (cases); columns are what is to be balanced
(images, cases of a label, ...).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["Balance", "assign"]

_NEIGHBOURHOOD = 128
_PATIENCE = 10
_MAX_ROUNDS = 400
_GAIN = 1e-9
_MOST_TRIED = 4096

_Floats = NDArray[np.float64]
_Parts = NDArray[np.int64]


@dataclass(frozen=True)
class Balance:
    """What a good division is.

    Args:
        counts: (groups, columns), what each group brings; not negative.
        weights: (columns,), how much a relative deviation in a column matters; positive.
        shares: (parts,), the share of every column's total that a part should get; they add up to 1.
        floors: (parts, columns), counts below which a part should not fall; 0: no floor.
        penalties: (columns,), cost of each count that is missing below a floor.
    """

    counts: _Floats
    weights: _Floats
    shares: _Floats
    floors: _Floats
    penalties: _Floats

    def cost(self, parts: _Parts) -> float:
        """Return the weighted squared relative deviation plus the penalty of missed floors, 0 or more.

        Args:
            parts: (groups,), the part of each group.
        """
        scaled = _Scaled.of(self)
        return float(scaled.part_cost(scaled.sums(parts), np.arange(len(self.shares))).sum())


def assign(balance: Balance, *, seed: tuple[int, ...]) -> _Parts:
    """Return a part for each group, (groups,), with a low cost; the same seed gives the same parts."""
    rng = np.random.default_rng(seed)
    scaled = _Scaled.of(balance)
    if len(balance.shares) ** len(balance.counts) <= _MOST_TRIED:
        return _best_of_all(scaled, len(balance.counts), rng)
    restarts = int(np.clip(1000 // max(len(balance.counts), 1), 1, 12))
    tried = [_improve(scaled, _fill(scaled, rng), rng) for _ in range(restarts)]
    return min(tried, key=balance.cost)


def _best_of_all(scaled: _Scaled, groups: int, rng: np.random.Generator) -> _Parts:
    """Try every division of a few groups; of equally good ones chance decides."""
    every_part = np.arange(len(scaled.targets))
    divisions = list(product(every_part.tolist(), repeat=groups))
    tried = [np.array(parts, dtype=np.int64) for parts in divisions]
    costs = np.array([scaled.part_cost(scaled.sums(parts), every_part).sum() for parts in tried])
    best = np.flatnonzero(costs <= costs.min() + _GAIN)
    return tried[int(rng.choice(best))]


@dataclass(frozen=True)
class _Scaled:
    """The same balance in units in which the cost is a plain sum of squares."""

    counts: _Floats
    targets: _Floats
    floors: _Floats
    floor_columns: NDArray[np.intp]
    penalties: _Floats

    @classmethod
    def of(cls, balance: Balance) -> _Scaled:
        totals = balance.counts.sum(axis=0)
        # A part's fair amount is the unit of a deviation, but never less than one whole group or image:
        # two cases cannot be spread over five folds, and the attempt must not drown everything else.
        units = np.sqrt(balance.weights) / np.maximum(totals * balance.shares.min(), 1.0)
        floor_columns = np.flatnonzero(balance.floors.any(axis=0))
        return cls(
            counts=balance.counts * units,
            targets=balance.shares[:, None] * (totals * units),
            floors=(balance.floors * units)[:, floor_columns],
            floor_columns=floor_columns,
            penalties=(balance.penalties / units)[floor_columns],
        )

    def sums(self, parts: _Parts) -> _Floats:
        sums = np.zeros_like(self.targets)
        np.add.at(sums, parts, self.counts)
        return sums

    def part_cost(self, sums: _Floats, parts: NDArray[np.integer]) -> _Floats:
        """Return the cost of parts that hold `sums` (..., columns); `parts` (...) says which they are."""
        deviation = sums - self.targets[parts]
        missing = np.maximum(self.floors[parts] - sums[..., self.floor_columns], 0.0)
        return np.asarray(np.einsum("...c,...c->...", deviation, deviation) + missing @ self.penalties)


def _fill(scaled: _Scaled, rng: np.random.Generator) -> _Parts:
    """Give each group, large ones first but not strictly, to the part that gains most."""
    size = np.linalg.norm(scaled.counts, axis=1)
    order = np.argsort(-size * rng.uniform(0.5, 1.5, len(size)), kind="stable")
    every_part = np.arange(len(scaled.targets))
    parts = np.zeros(len(size), dtype=np.int64)
    sums = np.zeros_like(scaled.targets)
    costs = scaled.part_cost(sums, every_part)
    for group in order:
        after = scaled.part_cost(sums + scaled.counts[group], every_part)
        part = int(np.argmin(after - costs))
        parts[group] = part
        sums[part] += scaled.counts[group]
        costs[part] = after[part]
    return parts


def _improve(scaled: _Scaled, parts: _Parts, rng: np.random.Generator) -> _Parts:
    """Apply the best move or swap among a neighbourhood of groups until several in a row bring nothing."""
    parts = parts.copy()
    total = len(parts)
    patience = _PATIENCE if total > _NEIGHBOURHOOD else 1
    idle = 0
    for _ in range(_MAX_ROUNDS):
        near = rng.choice(total, _NEIGHBOURHOOD, replace=False) if total > _NEIGHBOURHOOD else np.arange(total)
        sums = scaled.sums(parts)
        move_gain, move_groups, move_parts = _best_move(scaled, sums, parts, near)
        swap_gain, swap_groups, swap_parts = _best_swap(scaled, sums, parts, near)
        if max(move_gain, swap_gain) <= _GAIN:
            idle += 1
            if idle == patience:
                break
            continue
        idle = 0
        if move_gain >= swap_gain:
            parts[move_groups] = move_parts
        else:
            parts[swap_groups] = swap_parts
    return parts


_Change = tuple[float, NDArray[np.int64], NDArray[np.int64]]


def _best_move(scaled: _Scaled, sums: _Floats, parts: _Parts, near: NDArray[np.int64]) -> _Change:
    every_part = np.arange(len(sums))
    costs = scaled.part_cost(sums, every_part)
    home, counts = parts[near], scaled.counts[near]
    leaving = costs[home] - scaled.part_cost(sums[home] - counts, home)
    entering = costs - scaled.part_cost(sums + counts[:, None, :], np.broadcast_to(every_part, (len(near), len(sums))))
    gains = leaving[:, None] + entering
    gains[np.arange(len(near)), home] = 0.0
    best, part = np.unravel_index(int(np.argmax(gains)), gains.shape)
    return float(gains[best, part]), near[[best]], np.array([part], dtype=np.int64)


def _best_swap(scaled: _Scaled, sums: _Floats, parts: _Parts, near: NDArray[np.int64]) -> _Change:
    first, second = np.triu_indices(len(near), k=1)
    apart = parts[near[first]] != parts[near[second]]
    first, second = near[first[apart]], near[second[apart]]
    if not len(first):
        return 0.0, near[:0], near[:0]
    costs = scaled.part_cost(sums, np.arange(len(sums)))
    here, there = parts[first], parts[second]
    change = scaled.counts[second] - scaled.counts[first]
    after = scaled.part_cost(sums[here] + change, here) + scaled.part_cost(sums[there] - change, there)
    gains = costs[here] + costs[there] - after
    best = int(np.argmax(gains))
    return float(gains[best]), np.array([first[best], second[best]]), np.array([there[best], here[best]])
