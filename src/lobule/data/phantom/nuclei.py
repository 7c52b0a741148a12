"""Nuclei: where they lie, what they look like, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lobule.data.phantom.canvas import STEP, Canvas, scatter
from lobule.data.phantom.noise import Floats

__all__ = ["Look", "Nuclei", "apart", "at", "draw", "fill", "line", "spread"]

_CHUNK = 60_000
_DETAIL_PIXELS = 5.0
_REACH = 1.3
_LOOK = ("minor", "density", "dents", "vesicular", "nucleolus", "phase")


@dataclass(frozen=True)
class Look:
    """What the nuclei of one kind of cell look like.

    Attributes:
        major, minor: mean half axes in microns.
        variety: coefficient of variation of the size; 0.1 is regular, 0.3 is pleomorphic.
        density: haematoxylin, about 1.
        dents: how far the outline is from an ellipse.
        vesicular: 0: evenly dark; 1: pale with a dark membrane.
        nucleolus: darkness of the nucleolus, 0 to 1.
    """

    major: float
    minor: float
    variety: float = 0.1
    density: float = 1.2
    dents: float = 0.05
    vesicular: float = 0.3
    nucleolus: float = 0.0


@dataclass(frozen=True)
class Nuclei:
    """Columns (n,), one entry a nucleus; lengths in microns, angles in radians."""

    x: Floats
    y: Floats
    major: Floats
    minor: Floats
    angle: Floats
    density: Floats
    dents: Floats
    vesicular: Floats
    nucleolus: Floats
    phase: Floats

    def __len__(self) -> int:
        return len(self.x)

    def chosen(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Nuclei:
        """Return the nuclei of a mask or of indices."""
        return Nuclei(*(getattr(self, field.name)[rows] for field in fields(self)))

    @staticmethod
    def joined(parts: list[Nuclei]) -> Nuclei:
        """Return all nuclei of several sets."""
        return Nuclei(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Nuclei)))


def line(
    canvas: Canvas, look: Look, depth: float, spacing: float, *, where: Floats, tangential: bool = False
) -> Nuclei:
    """Place nuclei in a row at a depth (microns) under the border of the epithelium, upright or flat on it.

    Args:
        canvas: the tissue.
        look: of the nuclei.
        depth: below the outer border.
        spacing: between neighbours, in microns.
        where: map (rows, columns) that is negative where nuclei are wanted.
        tangential: flat on the border instead of upright.
    """
    band = (np.abs(canvas.epithelium + depth) < spacing) & (where < 0)
    points = _random_points(canvas.rng, band, per_area=4.0 / spacing**2)
    down, right = np.gradient(canvas.epithelium, STEP)
    for _ in range(3):
        miss = at(canvas.epithelium, points) + depth
        normal = np.column_stack([at(right, points), at(down, points)])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 0.3)
        points = points - np.clip(miss, -spacing, spacing)[:, None] * normal
    points = points[(np.abs(at(canvas.epithelium, points) + depth) < 2.0) & (at(canvas.lumen, points) > 0.5)]
    points = points[apart(points, spacing * 0.85)]
    angle = np.arctan2(at(down, points), at(right, points)) + (np.pi / 2 if tangential else 0.0)
    return _shaped(canvas.rng, points, angle + canvas.rng.normal(0, 0.2, len(points)), look)


def fill(canvas: Canvas, look: Look, spacing: float, *, where: Floats, jitter: float = 0.2) -> Nuclei:
    """Fill the parts where a map is negative with nuclei in no particular order."""
    points = scatter(canvas.rng, spacing, jitter=jitter)
    points = points[at(where, points) < 0]
    points = points[apart(points, spacing * 0.72)]
    return _shaped(canvas.rng, points, canvas.rng.uniform(0, np.pi, len(points)), look)


def spread(canvas: Canvas, look: Look, spacing: float, *, where: Floats) -> Nuclei:
    """Spread nuclei along the fibres where a map is negative."""
    points = scatter(canvas.rng, spacing, jitter=0.45)
    points = points[at(where, points) < 0]
    down, right = np.gradient(canvas.fibres, STEP)
    angle = np.arctan2(at(down, points), at(right, points)) + np.pi / 2
    return _shaped(canvas.rng, points, angle + canvas.rng.normal(0, 0.25, len(points)), look)


def at(field: Floats, points: Floats) -> NDArray[np.float64]:
    """Return a map's values at points (n, 2) x, y in microns; beyond the map, those of its border."""
    from scipy.ndimage import map_coordinates

    values = map_coordinates(field, [points[:, 1] / STEP, points[:, 0] / STEP], order=1, mode="nearest")
    return np.asarray(values, dtype=np.float64)


def _random_points(rng: np.random.Generator, cells: NDArray[np.bool_], *, per_area: float) -> NDArray[np.float64]:
    rows, columns = np.nonzero(cells)
    count = int(len(rows) * STEP**2 * per_area)
    chosen = rng.integers(0, max(len(rows), 1), count if len(rows) else 0)
    corner = np.column_stack([columns[chosen], rows[chosen]]).astype(np.float64)
    return (corner + rng.uniform(-0.5, 0.5, corner.shape)) * STEP


def apart(points: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Return which points (n, 2) to keep, (n,): as many as go without two closer than `least`; earlier ones win."""
    from scipy.spatial import cKDTree

    pairs = cKDTree(points).query_pairs(least, output_type="ndarray") if len(points) else np.empty((0, 2), int)
    open_, kept = np.ones(len(points), dtype=bool), np.zeros(len(points), dtype=bool)
    while open_.any():
        pairs = pairs[open_[pairs].all(axis=1)]
        first = open_.copy()
        first[pairs[:, 1]] = False
        kept |= first
        open_ &= ~first
        open_[pairs[first[pairs[:, 0]], 1]] = False
    return kept


def _shaped(rng: np.random.Generator, points: NDArray[np.float64], angle: NDArray[np.float64], look: Look) -> Nuclei:
    count = len(points)
    size = np.exp(rng.normal(0, look.variety, count))
    shape = np.exp(rng.normal(0, 0.08 + look.variety / 3, count))
    columns = {
        "x": points[:, 0],
        "y": points[:, 1],
        "major": look.major * size * shape,
        "minor": look.minor * size / shape,
        "angle": angle,
        "density": look.density * rng.normal(1, 0.08 + look.variety / 2, count).clip(0.6, 1.5),
        "dents": look.dents * rng.uniform(0.3, 1.7, count),
        "vesicular": (look.vesicular + rng.normal(0, 0.15, count)).clip(0, 1),
        "nucleolus": look.nucleolus * rng.uniform(0, 1.2, count),
        "phase": rng.uniform(0, 2 * np.pi, count),
    }
    return Nuclei(**{name: column.astype(np.float32) for name, column in columns.items()})


def draw(nuclei: Nuclei, shape: tuple[int, int], *, corner: tuple[float, float], scale: float) -> Floats:
    """Return the haematoxylin of nuclei (height, width) in a window.

    Args:
        nuclei: anywhere in the tissue.
        shape: of the window, in pixels.
        corner: x, y of its upper left pixel, in microns.
        scale: pixels per micron.
    """
    stain = np.zeros(shape, dtype=np.float32)
    x, y, reach = (nuclei.x - corner[0]) * scale, (nuclei.y - corner[1]) * scale, nuclei.major * scale * _REACH + 1
    seen = (x > -reach) & (y > -reach) & (x < shape[1] + reach) & (y < shape[0] + reach)
    order = np.flatnonzero(seen)[np.argsort(reach[seen])]
    while len(order):
        half = int(np.ceil(reach[order[-1]]))
        count = max(_CHUNK // (2 * half + 1) ** 2, 1)
        group, order = order[-count:], order[:-count]
        _stamp(stain, nuclei.chosen(group), np.column_stack([x[group], y[group]]), half, scale)
    return stain


def _stamp(stain: Floats, nuclei: Nuclei, centres: Floats, half: int, scale: float) -> None:
    """Draw nuclei into `stain`, each in a square of `half` pixels around its centre; the darker wins."""
    offset = np.arange(-half, half + 1, dtype=np.int32)
    pixel = np.round(centres).astype(np.int32)
    dx = (offset - (centres - pixel)[:, :1]).astype(np.float32)[:, None, :]
    dy = (offset - (centres - pixel)[:, 1:]).astype(np.float32)[:, :, None]
    major, minor, angle = (column[:, None, None] for column in (nuclei.major, nuclei.minor, nuclei.angle))
    cosine, sine = np.cos(angle), np.sin(angle)
    u = dx * (cosine / (major * scale)) + dy * (sine / (major * scale))
    v = dy * (cosine / (minor * scale)) - dx * (sine / (minor * scale))
    rows, columns = pixel[:, 1, None] + offset, pixel[:, 0, None] + offset
    rows_inside = (rows >= 0) & (rows < stain.shape[0])
    columns_inside = (columns >= 0) & (columns < stain.shape[1])
    seen = (u * u + v * v < _REACH**2) & rows_inside[:, :, None] & columns_inside[:, None, :]
    u, v = u[seen], v[seen]
    radius = np.sqrt(u * u + v * v) + np.float32(1e-3)
    counts = np.count_nonzero(seen, axis=(1, 2))
    look = {name: np.repeat(getattr(nuclei, name), counts) for name in _LOOK}
    detailed = float(nuclei.minor.mean()) * scale > _DETAIL_PIXELS
    value = _profile(u, v, radius, look, scale) if detailed else _disc(radius, look, scale)
    np.maximum.at(stain.reshape(-1), (rows[:, :, None] * stain.shape[1] + columns[:, None, :])[seen], value)


def _disc(radius: Floats, column: dict[str, Floats], scale: float) -> Floats:
    edge = np.clip((1 - radius) * column["minor"] * scale / 1.4 + 0.5, 0, 1)
    return np.asarray(edge * column["density"] * (1 - 0.3 * column["vesicular"]), dtype=np.float32)


def _profile(u: Floats, v: Floats, radius: Floats, column: dict[str, Floats], scale: float) -> Floats:
    c, s = u / radius, v / radius
    cosine, sine = np.cos(column["phase"]), np.sin(column["phase"])
    wave = cosine * (c * c - s * s) + sine * c * (4 * c * c - 3) + 2 * sine * cosine * c * s
    q = radius / (1 + column["dents"] * wave)
    edge = np.clip((1 - q) * column["minor"] * np.float32(scale / max(0.35 * scale, 1.5)) + 0.5, 0, 1)
    membrane = np.clip(1 - np.abs(q - 0.86) * 6, 0, 1)
    pale = column["vesicular"] * (0.5 * np.clip(1 - q * q, 0, 1) - 0.25 * membrane)
    spot = (u - 0.3 * cosine) ** 2 + (v - 0.3 * sine) ** 2
    nucleolus = column["nucleolus"] * np.clip(1.2 - spot * 22, 0, 1)
    return np.asarray(edge * (column["density"] * (1 - pale) + nucleolus * 0.7), dtype=np.float32)
