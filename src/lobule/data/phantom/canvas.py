"""A piece of tissue as maps of signed distance: what lies where, in microns, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lobule.data.phantom.noise import Floats, smooth_noise

__all__ = ["FAR", "HEIGHT", "STEP", "WIDTH", "Blob", "Canvas", "scatter"]

WIDTH, HEIGHT = 1400.0, 1040.0
"""Extent of a piece of tissue, in microns."""
STEP = 2.5
"""Microns between two cells of a map."""
FAR = 80.0
"""The largest distance that a map tells apart, in microns."""

_MARGIN = 24.0
_FAT_WALL, _FAT_REACH = 3.6, 50.0
_SHAPE = (int(HEIGHT / STEP), int(WIDTH / STEP))


@dataclass(frozen=True)
class Blob:
    """A roundish structure: centre, half axes and lining in microns, angle in radians.

    A lining at least as thick as the smaller half axis leaves no lumen. `dents` is how far the outline is from
    an ellipse, as a share of its radius.
    """

    x: float
    y: float
    major: float
    minor: float
    angle: float
    lining: float
    dents: float = 0.1
    phase: float = 0.0


class Canvas:
    """Maps (rows, columns) that recipes draw into; distances are in microns, negative inside.

    Attributes:
        epithelium: distance to the outer border of glands and nests, lumina included.
        lumen: distance to open spaces.
        fat: distance to the walls of fat cells.
        mucin: distance to pools of mucin.
        malignant: distance to malignant tissue.
        fibres: height of the fibre field: fibres run along its contour lines.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        rows, columns = np.mgrid[0 : _SHAPE[0], 0 : _SHAPE[1]].astype(np.float32)
        self.row_y, self.column_x = rows * STEP, columns * STEP
        self._x = self.column_x + 7.0 * self.noise(110)
        self._y = self.row_y + 7.0 * self.noise(110)
        self.epithelium, self.lumen, self.fat, self.mucin, self.malignant = (
            np.full(_SHAPE, FAR, dtype=np.float32) for _ in range(5)
        )
        self.slope = float(rng.uniform(0, np.pi))
        across = self.row_y * np.cos(self.slope) - self.column_x * np.sin(self.slope)
        self.fibres = (across + 40.0 * self.noise(330) + 8.0 * self.noise(90)).astype(np.float32)

    def noise(self, grain: float, *, stretch: float = 1.0) -> Floats:
        """Return noise of unit deviation with grains of the given size in microns."""
        return smooth_noise(self.rng, _SHAPE, grain / STEP, stretch=stretch)

    def add(self, blobs: list[Blob]) -> None:
        """Draw glands or nests, each joined with what is there."""
        for blob in blobs:
            cells = self._around(blob)
            distance = _distance(blob, self._x[cells], self._y[cells])
            np.minimum(self.epithelium[cells], distance, out=self.epithelium[cells])
            if blob.lining < blob.minor:
                np.minimum(self.lumen[cells], distance + blob.lining, out=self.lumen[cells])

    def _around(self, blob: Blob) -> tuple[slice, slice]:
        reach = blob.major * (1 + blob.dents) + _MARGIN
        rows = slice(max(int((blob.y - reach) / STEP), 0), max(int((blob.y + reach) / STEP) + 1, 0))
        columns = slice(max(int((blob.x - reach) / STEP), 0), max(int((blob.x + reach) / STEP) + 1, 0))
        return rows, columns

    def add_fat(self, region: Floats) -> None:
        """Lay fat cells, each whole, with their centres where `region` (rows, columns) is negative."""
        from scipy.ndimage import gaussian_filter
        from scipy.spatial import cKDTree

        centres = scatter(self.rng, self.rng.uniform(58, 74), jitter=0.22)
        row, column = (np.clip(centres[:, ::-1].T / STEP, 0, np.array(_SHAPE)[:, None] - 1)).astype(int)
        filled = region[row, column] < 0
        around = region < _FAT_REACH
        if not (filled.any() and around.any()):
            return
        nearest, which = cKDTree(centres).query(np.column_stack([self._x[around], self._y[around]]), k=2)
        to_wall = (nearest[:, 1] - nearest[:, 0]) / 2
        fat = np.full(_SHAPE, _FAT_WALL, dtype=np.float32)
        fat[around] = np.where(filled[which[:, 0]], _FAT_WALL - to_wall, _FAT_WALL)
        self.fat = gaussian_filter(fat, 0.7)

    def distance_to_level(self, field: Floats, level: float = 0.0) -> Floats:
        """Return about the signed distance to where a smooth field crosses a level; negative below it."""
        down, right = np.gradient(field, STEP)
        slope = np.hypot(down, right)
        floor = 0.35 * float(slope.mean())
        return np.asarray(np.clip((field - level) / np.maximum(slope, floor), -FAR, FAR), dtype=np.float32)


def scatter(rng: np.random.Generator, spacing: float, *, jitter: float) -> NDArray[np.float64]:
    """Return points (n, 2) x, y of a shaken hexagonal grid over the tissue; `jitter` is a share of the spacing."""
    rows = np.arange(-spacing, HEIGHT + spacing, spacing * 0.866)
    columns = np.arange(-spacing, WIDTH + spacing, spacing)
    x, y = np.meshgrid(columns, rows)
    x[1::2] += spacing / 2
    points = np.column_stack([x.ravel(), y.ravel()])
    return points + rng.normal(0, jitter * spacing, points.shape)


def _distance(blob: Blob, x: Floats, y: Floats) -> Floats:
    """Return about the signed distance to a dented ellipse: k1 (k1 - 1) / k2 with k1 = |p/r| and k2 = |p/r^2|."""
    cosine, sine = np.cos(blob.angle), np.sin(blob.angle)
    along = (x - blob.x) * cosine + (y - blob.y) * sine
    across = (y - blob.y) * cosine - (x - blob.x) * sine
    u, v = along / blob.major, across / blob.minor
    radius = np.hypot(u, v) + 1e-3
    c, s = u / radius, v / radius
    wave = np.cos(blob.phase) * (c * c - s * s) * 0.5 + np.sin(blob.phase) * (4 * c**3 - 3 * c) + c * s
    outline = 1 + blob.dents * wave
    k1 = radius / outline
    k2 = np.hypot(u / blob.major, v / blob.minor) / outline + 1e-6
    return np.asarray(np.clip(k1 * (k1 - 1) / k2, -FAR, FAR), dtype=np.float32)
