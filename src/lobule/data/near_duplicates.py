"""Find copies whose pixels are not the same: encoded again, resized, squashed, flipped or turned.

A perceptual hash finds candidates, the correlation of fine detail confirms them, both over the eight orientations of a
square. On real images of BreakHis, copies (JPEG and WebP of quality 60 and up, half size, squashed to 224 x 224, in any
orientation) have a correlation above 0.9, and two fields of one slide, or any other two images, below 0.4.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["near_duplicates"]

_MOST_BITS = 12
"""Bits of 63 in which the hashes of copies differ at most (8 were seen); of unrelated images, half of them do."""

_LEAST_CORRELATION = 0.75
_LEAST_DETAIL = 1.0
"""Grey levels (standard deviation) below which an image shows nothing that could be recognised."""

_FREQUENCIES = 8
_NEIGHBOURHOOD = 9
_ROWS_AT_ONCE = 256
_PAIRS_AT_ONCE = 1024

Maps = NDArray[np.float32]


def near_duplicates(thumbnails: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """Group images that show the same picture.

    Args:
        thumbnails: (n, side, side), as from `thumbnail`; of images with different pixels.

    Returns:
        The rows of each group of two or more, ascending. Images without detail (blank ones) are in no group.
    """
    maps = thumbnails.astype(np.float32)
    details = _details(maps)
    rows = np.flatnonzero(details.any(axis=(1, 2)))
    if not len(rows):
        return []
    turned_hashes = np.stack([_hashes(turned) for turned in _orientations(maps[rows])], axis=1)
    details = details[rows]
    none = np.empty((0, 2), dtype=np.int64)
    pairs = [none, *(_confirmed(details, candidates) for candidates in _candidates(turned_hashes))]
    return [tuple(int(row) for row in rows[group]) for group in _groups(len(rows), np.concatenate(pairs))]


def _orientations(maps: Maps) -> list[Maps]:
    flipped = [view for base in (maps, maps.transpose(0, 2, 1)) for view in (base, base[:, ::-1])]
    return [mirrored for view in flipped for mirrored in (view, view[:, :, ::-1])]


def _details(maps: Maps) -> Maps:
    """Return what stands out of its neighbourhood, each map of length 1, or 0 where nothing does.

    Without its slow changes (a fold, a border of the tissue, uneven light), no field resembles another by accident.
    """
    from scipy.ndimage import uniform_filter

    detail = maps - uniform_filter(maps, size=(0, _NEIGHBOURHOOD, _NEIGHBOURHOOD), mode="reflect")
    detail -= detail.mean(axis=(1, 2), keepdims=True)
    length = np.linalg.norm(detail, axis=(1, 2), keepdims=True)
    is_flat = length < _LEAST_DETAIL * maps.shape[-1]
    divided: Maps = np.where(is_flat, np.float32(0), detail / np.where(is_flat, np.float32(1), length))
    return divided


def _hashes(maps: Maps) -> NDArray[np.uint64]:
    """Return the perceptual hash: which of the slowest frequencies are above their median, (n,)."""
    from scipy.fft import dctn

    slowest = dctn(maps, axes=(1, 2))[:, :_FREQUENCIES, :_FREQUENCIES].reshape(len(maps), -1)
    slowest[:, 0] = -np.inf  # the mean grey level says nothing
    bits = slowest > np.median(slowest[:, 1:], axis=1, keepdims=True)
    hashes: NDArray[np.uint64] = np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    return hashes


def _candidates(turned: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """Yield (pairs, 2) ascending rows whose hashes are alike in some orientation; `turned` is (n, 8)."""
    for start in range(0, len(turned), _ROWS_AT_ONCE):
        some, others = turned[start : start + _ROWS_AT_ONCE, :1], turned[start:]
        alike = np.zeros((len(some), len(others)), dtype=bool)
        for orientation in range(turned.shape[1]):
            alike |= np.bitwise_count(some ^ others[:, orientation]) <= _MOST_BITS
        pairs = np.argwhere(np.triu(alike, 1)) + start
        for first in range(0, len(pairs), _PAIRS_AT_ONCE):
            yield pairs[first : first + _PAIRS_AT_ONCE]


def _confirmed(details: Maps, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    one, other = details[pairs[:, 0]], details[pairs[:, 1]]
    correlations = [np.einsum("pij,pij->p", one, turned) for turned in _orientations(other)]
    kept: NDArray[np.int64] = pairs[np.max(correlations, axis=0) >= _LEAST_CORRELATION]
    return kept


def _groups(count: int, pairs: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, group_of = connected_components(links, directed=False)
    for group in np.flatnonzero(np.bincount(group_of) > 1):
        yield np.flatnonzero(group_of == group)
