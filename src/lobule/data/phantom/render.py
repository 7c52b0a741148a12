"""Photographs a window of tissue: dyes of every layer, from the stroma up to the nuclei."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lobule.data.phantom.architecture import Tissue
from lobule.data.phantom.canvas import HEIGHT, STEP, WIDTH
from lobule.data.phantom.noise import Floats, resample, sample, texture
from lobule.data.phantom.nuclei import draw
from lobule.data.phantom.stain import Stain

__all__ = ["Window", "choose_window", "photograph"]

_FIBRES = ((8.0, 50.0, 0.5), (2.6, 13.0, 0.55), (0.8, 6.0, 0.4))
"""Bundles, fibres and fibrils: thickness and length in microns, and contrast."""
_PIXELS_PER_MICRON_AT_400 = 0.01
"""Of the image's width: a field of view is 100 microns wide at 400X, as nuclei in BreakHis images suggest."""

_TRIALS = 5
_NEAR = 6.0
_GLASS = np.float32(0.015)


@dataclass(frozen=True)
class Window:
    """A field of view: upper left corner in microns, pixels per micron, and shape in pixels (height, width)."""

    x: float
    y: float
    scale: float
    shape: tuple[int, int]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in cells of a canvas."""
        height, width = self.shape
        left, top = self.x / STEP, self.y / STEP
        return left, top, left + width / self.scale / STEP, top + height / self.scale / STEP


def choose_window(
    tissue: Tissue, magnification: int, shape: tuple[int, int], rng: np.random.Generator, *, malignant: bool
) -> Window:
    """Return a field of view worth a photograph: glands in benign tissue, tumour and more in malignant tissue."""
    scale = _PIXELS_PER_MICRON_AT_400 * shape[1] * magnification / 400
    canvas = tissue.canvas
    wanted = np.abs(canvas.epithelium) < 8
    if malignant:
        wanted = (canvas.malignant < 0) & (canvas.epithelium < 12)
    limit = (WIDTH - 4 * STEP - shape[1] / scale, HEIGHT - 4 * STEP - shape[0] / scale)
    corners = rng.uniform(0, limit, (_TRIALS, 2))
    windows = [Window(float(x), float(y), scale, shape) for x, y in corners]
    return max(windows, key=lambda window: _worth(window, wanted))


def _worth(window: Window, wanted: NDArray[np.bool_]) -> float:
    left, top, right, bottom = (int(edge) for edge in window.box)
    share = float(wanted[top : bottom + 1, left : right + 1].mean())
    return min(share, 0.4) - 2 * max(share - 0.8, 0)


def photograph(
    tissue: Tissue, stain: Stain, window: Window, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the image (height, width, 3) and the mask (height, width) of its malignant part."""
    shape, scale, maps = window.shape, window.scale, tissue.maps
    coarse, fine = texture(rng, shape, 3.5 * scale), texture(rng, shape, 1.1 * scale)
    soft = max(0.9, 1.3 / scale)
    haematoxylin, eosin = _stroma(tissue, fibres := _fibres(tissue, window), fine)
    if _is_near(tissue.canvas.mucin, window):
        mucin = _inside(resample(maps["mucin"], shape, window.box) + 1.5 * coarse, 2 * soft)
        wisps = 0.6 * coarse + np.maximum(fibres, 0) * texture(rng, shape, 24.0 * scale)
        _blend(haematoxylin, 0.15 + 0.035 * wisps, mucin)
        _blend(eosin, 0.05 + 0.03 * wisps, mucin)
    # Turned round, the same noise is as good as new.
    cytoplasm = 0.20 * coarse[::-1, ::-1] + 0.14 * fine + 1
    epithelium = _inside(resample(maps["epithelium"], shape, window.box) + 0.7 * coarse, soft)
    _blend(haematoxylin, 0.30 * cytoplasm, epithelium)
    _blend(eosin, 0.40 * cytoplasm, epithelium)
    if _is_near(tissue.canvas.lumen, window):
        lumen = _inside(resample(maps["lumen"], shape, window.box) + 1.1 * coarse[:, ::-1], soft)
        _blend(haematoxylin, _GLASS, lumen)
        _blend(eosin, tissue.secretion * np.clip(0.5 * coarse + 0.7, 0, 2), lumen)
    malignant = resample(maps["malignant"], shape, window.box) < 0
    if _is_near(tissue.canvas.fat, window):
        fat = _inside(resample(maps["fat"], shape, window.box) + 0.25 * coarse, soft)
        _blend(haematoxylin, _GLASS, fat)
        _blend(eosin, _GLASS, fat)
        malignant &= fat < 0.5
    _add_nuclei(haematoxylin, eosin, draw(tissue.nuclei, shape, corner=(window.x, window.y), scale=scale), fine)
    return stain.photograph(haematoxylin, eosin, rng), malignant


def _add_nuclei(haematoxylin: Floats, eosin: Floats, nuclei: Floats, fine: Floats) -> None:
    """Lay nuclei over both dyes, in place; `fine` is the noise their chromatin is made of."""
    covered = np.minimum(nuclei * 2.5, 1)
    eosin *= 1 - 0.45 * covered
    haematoxylin *= 1 - 0.5 * covered
    haematoxylin += nuclei * np.maximum(1 + 0.24 * fine[::-1, ::-1], 0)


def _is_near(field: Floats, window: Window) -> bool:
    left, top, right, bottom = (int(edge) for edge in window.box)
    return bool(field[max(top - 1, 0) : bottom + 2, max(left - 1, 0) : right + 2].min() < _NEAR)


def _inside(distance: Floats, soft: float) -> Floats:
    """Return 1 inside and 0 outside, with a border `soft` microns wide."""
    cover = distance * np.float32(-1 / soft)
    cover += 0.5
    return np.clip(cover, 0, 1, out=cover)


def _blend(below: Floats, above: Floats | np.float32, cover: Floats) -> None:
    change = above - below
    change *= cover
    below += change


def _fibres(tissue: Tissue, window: Window) -> Floats:
    """Return bundles and fibrils of collagen (height, width), about -1 to 1, along the fibre field."""
    # Half the size will do: fibres are soft, and this is the slowest step.
    half = (window.shape[0] // 2, window.shape[1] // 2)
    near = resample(tissue.maps["epithelium"], half, window.box)
    # Around glands the fibres bend and run along their border.
    height = resample(tissue.maps["fibres"], half, window.box) + np.exp(-np.maximum(near, 0) / 14) * near * 0.9
    slope, step = tissue.canvas.slope, 2 / window.scale
    down = (window.y + np.arange(half[0]) * step) * np.sin(slope)
    right = (window.x + np.arange(half[1]) * step) * np.cos(slope)
    along = np.add.outer(down.astype(np.float32), right.astype(np.float32))
    total = np.zeros(half, dtype=np.float32)
    for grain, length, weight in _FIBRES:
        if grain * window.scale > 0.7:
            contrast = np.float32(weight * min(grain * window.scale / 1.5, 1.0))
            total += contrast * sample(height / np.float32(grain), along / np.float32(length))
    return resample(Image.fromarray(total), window.shape, (0.0, 0.0, float(half[1]), float(half[0])))


def _stroma(tissue: Tissue, fibres: Floats, fine: Floats) -> tuple[Floats, Floats]:
    """Return both dyes of the stroma; fibres that thin out leave open clefts."""
    cleft = np.clip((-fibres - 1.15 + 2.2 * tissue.looseness) * 3, 0, 1)
    dense = (1 + 0.28 * np.clip(fibres, -1.5, 2) + 0.07 * fine) * (1 - 0.85 * cleft)
    return 0.07 * dense, tissue.collagen * dense
