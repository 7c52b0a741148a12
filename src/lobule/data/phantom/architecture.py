"""The eight subtypes as recipes: each draws its architecture on a canvas and says where nuclei lie.

A recipe takes a canvas and `degree`, 0 to 1: how active a benign case is, or how high the grade of a malignant
one. The middle ranges look alike on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from lobule.data.phantom.canvas import FAR, HEIGHT, WIDTH, Blob, Canvas, scatter
from lobule.data.phantom.noise import Floats
from lobule.data.phantom.nuclei import Look, Nuclei, at, fill, line, spread

__all__ = ["Tissue", "grow"]

_EPITHELIAL = Look(4.6, 3.3, variety=0.1, density=1.15, vesicular=0.35, nucleolus=0.1)
_MYOEPITHELIAL = Look(4.6, 1.4, variety=0.15, density=1.2, vesicular=0.0)
_FIBROBLAST = Look(6.8, 1.5, variety=0.22, density=1.1, dents=0.1, vesicular=0.1)
_LYMPHOCYTE = Look(3.0, 2.8, variety=0.07, density=1.6, vesicular=0.0)
_MAPS = ("epithelium", "lumen", "fat", "mucin", "malignant", "fibres")


@dataclass(frozen=True)
class Tissue:
    """A piece of tissue, ready to be photographed.

    Attributes:
        canvas: its maps.
        maps: the same maps by name, as images that can be resampled.
        nuclei: all its nuclei.
        collagen: eosin of the stroma, about 0.5.
        looseness: share of the stroma that is open clefts between fibres, 0 to about 0.3.
        secretion: eosin inside lumina, 0 to about 0.3.
    """

    canvas: Canvas
    maps: Mapping[str, Image.Image]
    nuclei: Nuclei
    collagen: float
    looseness: float
    secretion: float


def grow(subtype: str, rng: np.random.Generator) -> Tissue:
    """Return a new piece of tissue of a subtype."""
    canvas = Canvas(rng)
    nuclei = _RECIPES[subtype](canvas, float(rng.beta(1.6, 1.6)))
    if rng.random() < 0.6:
        _lay_fat(canvas)
    nuclei.append(_lymphocytes(canvas))
    everything = Nuclei.joined(nuclei)
    points = np.column_stack([everything.x, everything.y])
    outside = (at(canvas.fat, points) > -2.0) & (at(canvas.lumen, points) > -1.5)
    return Tissue(
        canvas,
        {name: Image.fromarray(getattr(canvas, name)) for name in _MAPS},
        everything.chosen(outside),
        collagen=float(rng.uniform(0.42, 0.68)),
        looseness=float(rng.uniform(0.02, 0.22)),
        secretion=float(rng.choice([0.0, 0.05, 0.2])),
    )


def _adenosis(canvas: Canvas, degree: float) -> list[Nuclei]:
    rng = canvas.rng
    lobule = canvas.distance_to_level(canvas.noise(380), rng.uniform(0.1, 0.5))
    centres = scatter(rng, 42.0, jitter=0.13)
    radii = rng.uniform(14, 22, len(centres))
    canvas.add(
        [
            Blob(x, y, r * rng.uniform(1.0, 1.5), r, rng.uniform(0, np.pi), rng.uniform(9, 12), 0.12, rng.uniform(0, 6))
            for (x, y), r in zip(centres[at(lobule, centres) < 0], radii, strict=False)
        ]
    )
    _ducts(canvas, lobule - 60, count=5)
    return [*_lined(canvas, degree), _stroma(canvas, 21.0)]


def _fibroadenoma(canvas: Canvas, degree: float) -> list[Nuclei]:
    rng = canvas.rng
    slit = canvas.distance_to_level(np.abs(canvas.noise(210)) - 0.05) + 2.0 * canvas.noise(60)
    broken = canvas.distance_to_level(canvas.noise(150), 0.1)
    slit = np.maximum(slit, broken).astype(np.float32)
    canvas.lumen = slit - np.float32(rng.uniform(1.0, 4.0))
    canvas.epithelium = canvas.lumen - np.float32(rng.uniform(11, 14))
    centres = scatter(rng, 150.0, jitter=0.25)
    canvas.add([_round_duct(rng, x, y, rng.uniform(18, 30)) for x, y in centres if rng.random() < 0.3])
    return [*_lined(canvas, degree), _stroma(canvas, rng.uniform(15, 20), Look(5.6, 1.7, 0.2, 0.95, vesicular=0.3))]


def _phyllodes_tumor(canvas: Canvas, degree: float) -> list[Nuclei]:
    rng = canvas.rng
    cleft = canvas.distance_to_level(np.abs(canvas.noise(340, stretch=1.3)) - 0.02)
    width = rng.uniform(6, 12) + 7.0 * canvas.noise(160)
    canvas.lumen = (cleft - np.maximum(width, 1.0)).astype(np.float32)
    canvas.epithelium = canvas.lumen - np.float32(rng.uniform(10, 13))
    look = Look(6.2, 2.1, 0.22 + 0.1 * degree, 1.1, dents=0.12, vesicular=0.25)
    return [*_lined(canvas, degree), _stroma(canvas, 13.5 - 2.0 * degree, look)]


def _tubular_adenoma(canvas: Canvas, degree: float) -> list[Nuclei]:
    rng = canvas.rng
    packed = canvas.distance_to_level(canvas.noise(600), 0.9)
    spacing = rng.uniform(46, 56)
    centres = scatter(rng, spacing, jitter=0.07)
    tubules = [
        Blob(x, y, r * rng.uniform(1.0, 1.15), r, rng.uniform(0, np.pi), rng.uniform(10, 12.5), 0.05, rng.uniform(0, 6))
        for x, y in centres[at(packed, centres) < 0]
        for r in [rng.uniform(0.36, 0.46) * spacing]
    ]
    canvas.add(tubules)
    return [*_lined(canvas, degree), _stroma(canvas, 19.0)]


def _ductal_carcinoma(canvas: Canvas, degree: float) -> list[Nuclei]:
    rng = canvas.rng
    tumour = _tumour(canvas)
    grain = rng.uniform(60, 130)
    nests = canvas.distance_to_level(canvas.noise(grain, stretch=rng.uniform(1, 1.8)), rng.uniform(-0.1, 0.6))
    canvas.epithelium = np.maximum(nests + 2.0 * canvas.noise(16), tumour).astype(np.float32)
    glands = canvas.distance_to_level(canvas.noise(55), -1.5 - 0.5 * degree)
    canvas.lumen = np.maximum(glands, canvas.epithelium + 9).astype(np.float32)
    canvas.malignant = canvas.epithelium - 3
    look = _malignant_look(5.0 + 1.2 * degree, degree)
    cells = [fill(canvas, look, 10.6 + 2.6 * degree, where=_cells(canvas, 3.0))]
    return cells + _bystanders(canvas, tumour) + [_stroma(canvas, 19.0, replace(_FIBROBLAST, minor=1.8))]


def _lobular_carcinoma(canvas: Canvas, degree: float) -> list[Nuclei]:
    rng = canvas.rng
    tumour = _tumour(canvas)
    spacing = rng.uniform(17, 25)
    phase = (canvas.fibres + 5.0 * canvas.noise(45)) / spacing
    files = (np.abs(phase - np.round(phase)) * spacing - 4.0).astype(np.float32)
    broken = canvas.distance_to_level(canvas.noise(75, stretch=1.4), 0.15 + 0.3 * degree)
    canvas.epithelium = np.maximum.reduce([files, broken, tumour]).astype(np.float32)
    canvas.malignant = canvas.epithelium - 5
    look = Look(3.9 + 0.5 * degree, 3.4 + 0.4 * degree, 0.11 + 0.06 * degree, 1.2, 0.06, vesicular=0.25, nucleolus=0.05)
    cells = line(canvas, look, 3.5, 8.2, where=_nothing_near(canvas.fat), tangential=True)
    single = fill(canvas, look, 30.0, where=np.maximum(tumour, 3 - canvas.epithelium), jitter=0.4)
    return [cells, single, *_bystanders(canvas, tumour), _stroma(canvas, 24.0)]


def _mucinous_carcinoma(canvas: Canvas, degree: float) -> list[Nuclei]:
    rng = canvas.rng
    tumour = _tumour(canvas)
    septa = canvas.distance_to_level(np.abs(canvas.noise(330)) - 0.03) - 5
    canvas.mucin = np.maximum(tumour, -septa).astype(np.float32)
    centres = scatter(rng, rng.uniform(80, 110), jitter=0.24)
    islands = [
        Blob(x, y, r * rng.uniform(1.0, 1.8), r, rng.uniform(0, np.pi), lining, 0.18, rng.uniform(0, 6))
        for x, y in centres[at(canvas.mucin, centres) < -8]
        for r in [rng.uniform(12, 42)]
        for lining in [r * 0.75 if rng.random() < 0.25 else FAR]
    ]
    canvas.add(islands)
    canvas.malignant = np.minimum(canvas.mucin, canvas.epithelium - 3).astype(np.float32)
    look = _malignant_look(4.3 + 0.6 * degree, 0.6 * degree)
    cells = [fill(canvas, look, 9.4 + degree, where=_cells(canvas, 3.0))]
    return cells + _bystanders(canvas, tumour) + [_stroma(canvas, 22.0)]


def _papillary_carcinoma(canvas: Canvas, degree: float) -> list[Nuclei]:
    rng = canvas.rng
    tumour = _tumour(canvas)
    fingers = canvas.noise(rng.uniform(52, 72), stretch=rng.uniform(1.4, 2.2))
    space = canvas.distance_to_level(-fingers, -rng.uniform(0.0, 0.5)) + 1.5 * canvas.noise(14)
    thickness = rng.uniform(13, 20)
    canvas.lumen = np.maximum(space, tumour + 6).astype(np.float32)
    canvas.epithelium = np.maximum(space - thickness, tumour).astype(np.float32)
    fronds = np.maximum(-space - 2, tumour)
    canvas.malignant = np.minimum(fronds, FAR).astype(np.float32)
    look = replace(_malignant_look(4.9 + 0.5 * degree, 0.7 * degree), minor=3.1 + 0.4 * degree)
    rows = [
        line(canvas, look, depth, 6.6, where=_nothing_near(canvas.fat)) for depth in np.arange(3.5, thickness - 2, 5.0)
    ]
    return rows + _bystanders(canvas, tumour) + [_stroma(canvas, 17.0)]


_Recipe = Callable[[Canvas, float], list[Nuclei]]
_RECIPES: dict[str, _Recipe] = {
    "adenosis": _adenosis,
    "fibroadenoma": _fibroadenoma,
    "phyllodes_tumor": _phyllodes_tumor,
    "tubular_adenoma": _tubular_adenoma,
    "ductal_carcinoma": _ductal_carcinoma,
    "lobular_carcinoma": _lobular_carcinoma,
    "mucinous_carcinoma": _mucinous_carcinoma,
    "papillary_carcinoma": _papillary_carcinoma,
}


def _tumour(canvas: Canvas) -> Floats:
    """Return about the distance to the part of the tissue that holds tumour, some two thirds of it."""
    angle = canvas.rng.uniform(0, 2 * np.pi)
    side = (canvas.column_x / WIDTH - 0.5) * np.cos(angle) + (canvas.row_y / HEIGHT - 0.5) * np.sin(angle)
    field = canvas.noise(420) + 2.2 * side
    return canvas.distance_to_level(field, float(np.quantile(field, canvas.rng.uniform(0.55, 0.75))))


def _malignant_look(major: float, degree: float) -> Look:
    return Look(
        major=major,
        minor=0.78 * major,
        variety=0.13 + 0.14 * degree,
        density=1.1 + 0.15 * degree,
        dents=0.06 + 0.1 * degree,
        vesicular=0.35 + 0.3 * degree,
        nucleolus=0.15 + 0.6 * degree,
    )


def _cells(canvas: Canvas, depth: float) -> Floats:
    """Return a map that is negative where the body of the epithelium is."""
    return np.asarray(np.maximum(canvas.epithelium + depth, 3.0 - canvas.lumen), dtype=np.float32)


def _nothing_near(field: Floats) -> Floats:
    return (4.0 - field).astype(np.float32)


def _lined(canvas: Canvas, degree: float) -> list[Nuclei]:
    """Return the nuclei of benign epithelium: one row or two, and a few flat ones around them."""
    look = replace(
        _EPITHELIAL,
        major=4.4 + 0.8 * degree,
        minor=3.1 + 0.6 * degree,
        variety=0.08 + 0.08 * degree,
        nucleolus=0.25 * degree,
    )
    where = _nothing_near(canvas.fat)
    rows = [
        line(canvas, look, 5.5, 7.4, where=where),
        line(canvas, _MYOEPITHELIAL, 1.0, 15.0, where=where, tangential=True),
    ]
    if degree > 0.55:
        rows.append(line(canvas, look, 10.5, 9.0, where=where))
    return rows


def _bystanders(canvas: Canvas, tumour: Floats) -> list[Nuclei]:
    """Add normal ducts away from the tumour and return their nuclei."""
    before = canvas.epithelium.copy()
    _ducts(canvas, 45 - tumour, count=9)
    new = np.where(canvas.epithelium < before, -1.0, 1.0).astype(np.float32)
    return [
        line(canvas, _EPITHELIAL, 5.5, 7.4, where=new),
        line(canvas, _MYOEPITHELIAL, 1.0, 15.0, where=new, tangential=True),
    ]


def _ducts(canvas: Canvas, where: Floats, *, count: int) -> None:
    """Add up to `count` normal ducts and small lobules where a map is negative."""
    points = scatter(canvas.rng, 120.0, jitter=0.25)
    points = canvas.rng.permutation(points[at(where, points) < 0])[:count]
    for x, y in points:
        if canvas.rng.random() < 0.5:
            canvas.add([_round_duct(canvas.rng, x, y, canvas.rng.uniform(22, 48))])
        else:
            ring = canvas.rng.uniform(-45, 45, (7, 2))
            canvas.add([_round_duct(canvas.rng, x + dx, y + dy, canvas.rng.uniform(14, 19)) for dx, dy in ring])


def _round_duct(rng: np.random.Generator, x: float, y: float, radius: float) -> Blob:
    longer = radius * rng.uniform(1.0, 1.8)
    return Blob(x, y, longer, radius, rng.uniform(0, np.pi), rng.uniform(10, 12.5), 0.12, rng.uniform(0, 6))


def _stroma(canvas: Canvas, spacing: float, look: Look = _FIBROBLAST) -> Nuclei:
    spacing *= float(canvas.rng.uniform(0.9, 1.15))
    outside = np.maximum(4.0 - canvas.epithelium, 2.0 - canvas.mucin)
    return spread(canvas, look, spacing, where=outside.astype(np.float32))


def _lymphocytes(canvas: Canvas) -> Nuclei:
    patches = canvas.distance_to_level(canvas.noise(170), -canvas.rng.uniform(1.5, 2.6))
    where = np.maximum.reduce([patches, 3.5 - canvas.epithelium, 3.0 - canvas.mucin, 3.0 - canvas.lumen])
    return fill(canvas, _LYMPHOCYTE, 10.0, where=where.astype(np.float32), jitter=0.35)


def _lay_fat(canvas: Canvas) -> None:
    region = canvas.distance_to_level(canvas.noise(480), -canvas.rng.uniform(0.5, 1.2))
    busy = np.minimum.reduce([canvas.epithelium, canvas.mucin, canvas.lumen])
    canvas.add_fat(np.maximum(region, 45 - busy).astype(np.float32))
