"""Smooth noise at any scale, cut from one tile that is drawn once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Floats", "resample", "sample", "smooth_noise", "texture"]

Floats = NDArray[np.floating[Any]]

_TILE = 1024
_TILE_SEED = 1024


@lru_cache(maxsize=1)
def _tile() -> Floats:
    """Return a periodic noise tile of zero mean and unit deviation whose grains are about two texels wide."""
    from scipy.ndimage import gaussian_filter

    white = np.random.default_rng(_TILE_SEED).standard_normal((_TILE, _TILE), dtype=np.float32)
    smooth = gaussian_filter(white, 1.0, mode="wrap")
    return np.asarray((smooth - smooth.mean()) / smooth.std(), dtype=np.float32)


@lru_cache(maxsize=1)
def _tile_image() -> Image.Image:
    return Image.fromarray(np.tile(_tile(), (2, 2)))


def texture(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Floats:
    """Return noise (height, width) of unit deviation whose grains are `grain` pixels wide."""
    top, left = rng.uniform(0, _TILE, 2)
    step = min(2.0 / grain, _TILE / max(shape))
    return resample(_tile_image(), shape, (left, top, left + shape[1] * step, top + shape[0] * step))


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], grain: float, *, stretch: float = 1.0) -> Floats:
    """Return noise (height, width) of unit deviation in two octaves, `stretch` times wider than high."""
    coarse = _octave(rng, shape, grain, stretch)
    total = coarse + 0.35 * _octave(rng, shape, grain / 2.2, stretch)
    return np.asarray((total - total.mean()) / total.std(), dtype=np.float32)


def _octave(rng: np.random.Generator, shape: tuple[int, int], grain: float, stretch: float) -> Floats:
    height, width = 2 * shape[0] / grain, 2 * shape[1] / (grain * stretch)
    white = rng.standard_normal((int(np.ceil(height)) + 4, int(np.ceil(width)) + 4), dtype=np.float32)
    return resample(Image.fromarray(white), shape, (1.5, 1.5, 1.5 + width, 1.5 + height))


def sample(y: Floats, x: Floats) -> Floats:
    """Return the noise tile at coordinates in grains, of any shape, interpolated linearly."""
    tile = _tile().ravel()
    y, x = y * 2.0, x * 2.0
    row, column = np.floor(y), np.floor(x)
    down, right = y - row, x - column
    top, left = row.astype(np.int32) & (_TILE - 1), column.astype(np.int32) & (_TILE - 1)
    bottom, far = (top + 1) & (_TILE - 1), (left + 1) & (_TILE - 1)
    top, bottom = top * _TILE, bottom * _TILE
    upper = tile[top + left] * (1 - right) + tile[top + far] * right
    lower = tile[bottom + left] * (1 - right) + tile[bottom + far] * right
    return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


def resample(field: Image.Image, shape: tuple[int, int], box: tuple[float, float, float, float]) -> Floats:
    """Return the part `box` (left, top, right, bottom; in cells) of a field at `shape` (height, width)."""
    return np.asarray(field.resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=box), dtype=np.float32)
