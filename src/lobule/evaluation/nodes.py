"""Bootstrap of what depends on an order, for many units: the order in some thousand steps instead of one a unit.

Of a few thousand units every replicate is computed from all of them. Of a million that would take hours, and its last
digits would drown in what the draw of cases changes; so units are put together into nodes of about equal numbers, and
what the nodes are off on the whole is taken from every replicate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_IN_FULL", "along_nodes", "corrected", "in_turns", "joined", "node_counts", "nodes_of"]

MOST_IN_FULL: Final = 16_384
"""Most units of which every replicate is computed in full."""

_NODES: Final = 1024
_WEIGHTS_AT_ONCE: Final = 2_000_000
_REPLICATES_AT_ONCE: Final = 256
_EXACT_IN_SINGLE: Final = 2**24

Values = dict[str, NDArray[np.float64]]


def in_turns(multiplicity: NDArray[np.float64], units: int) -> Iterator[NDArray[np.float64]]:
    """Yield the replicates, shape (r, cases), so few at a time that a weight for each unit of each fits in memory."""
    rows = max(1, _WEIGHTS_AT_ONCE // max(units, 1))
    for start in range(0, len(multiplicity), rows):
        yield multiplicity[start : start + rows]


def joined(parts: Iterable[Values]) -> Values:
    """Return the values of all replicates, of those of a few at a time."""
    of_parts = list(parts)
    return {name: np.concatenate([values[name] for values in of_parts]) for name in of_parts[0]}


def nodes_of(order: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the node of each unit, shape (n,), rising along the order; units of one value are in one node.

    Args:
        order: shape (n,), the units in their order.
        ends: shape (steps,), the places of the last unit of each value.
    """
    n = len(order)
    first = np.concatenate([[0], ends[:-1] + 1])
    along = np.repeat(first * _NODES // n, np.diff(ends, prepend=-1))
    _, numbered = np.unique(along, return_inverse=True)
    node = np.empty(n, dtype=np.int64)
    node[order] = numbered
    return node


def node_counts(
    case: NDArray[np.int64],
    node: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    multiplicity: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many units, and how many of the chosen ones, stand at each node, each (r, nodes), in r replicates.

    Args:
        case: shape (n,), the case of each unit.
        node: shape (n,), from `nodes_of`.
        chosen: shape (n,).
        multiplicity: shape (r, cases), how often each case counts.
    """
    from scipy.sparse import coo_array

    nodes, cases = int(node.max()) + 1, multiplicity.shape[1]
    # Whole numbers: in single precision they are exact up to 2^24, and read from memory twice as fast.
    largest = np.bincount(node).max() * multiplicity.max(initial=0)
    kind = np.float32 if largest < _EXACT_IN_SINGLE else np.float64
    drawn = np.ascontiguousarray(multiplicity.T, dtype=kind)

    def summed(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        table = coo_array((mask[mask].astype(kind), (node[mask], case[mask])), shape=(nodes, cases)).tocsr()
        return np.ascontiguousarray((table @ drawn).T, dtype=np.float64)

    of_chosen = summed(chosen)
    return of_chosen + summed(~chosen), of_chosen


def along_nodes(
    values_of: Callable[[NDArray[np.float64], NDArray[np.float64]], Values],
    counts: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> Values:
    """Return values of how many units are reached at each node, of few replicates at a time.

    Args:
        values_of: maps how many of the chosen units, and how many at all, are reached, each (r, nodes), to values.
        counts: how many units, and how many of the chosen ones, stand at each node, from `node_counts`.
    """
    units, chosen = counts
    parts = (slice(start, start + _REPLICATES_AT_ONCE) for start in range(0, len(units), _REPLICATES_AT_ONCE))
    return joined(values_of(np.cumsum(chosen[rows], axis=1), np.cumsum(units[rows], axis=1)) for rows in parts)


def corrected(
    on_nodes: Callable[[NDArray[np.float64]], Values], in_full: Values, multiplicity: NDArray[np.float64]
) -> Values:
    """Return areas, 0 to 1, on nodes, shifted so that on the whole (each case once) they are those in full.

    Args:
        on_nodes: maps multiplicities, shape (r, cases), to values, each (r,).
        in_full: the values of the whole, each (1,).
        multiplicity: shape (r, cases).
    """
    whole = on_nodes(np.ones((1, multiplicity.shape[1])))
    replicates = on_nodes(multiplicity)
    return {name: np.clip(values + (in_full[name] - whole[name]), 0, 1) for name, values in replicates.items()}
