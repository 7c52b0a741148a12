"""Numbers of an image that need no network: colours, sharpness, how much is empty, whether it is stained with H&E.

All are taken at one fixed size, so that they do not depend on how large the file is.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np

from lobule.data.images import decode
from lobule.features.views import apply_view
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest
    from lobule.features.store import FeatureStore

__all__ = [
    "COLOUR_NUMBERS",
    "STATISTICS",
    "STATISTICS_SIZE",
    "colour_numbers",
    "image_statistics",
    "statistics_of",
    "statistics_store",
]

COLOUR_NUMBERS: Final = 15
STATISTICS_SIZE: Final = 224
"""Side in pixels that an image is squashed to before it is measured."""

_COLOURS: Final = tuple(
    f"{channel}_{number}" for number in ("mean", "sd", "p10", "p50", "p90") for channel in ("lightness", "a", "b")
)
STATISTICS: Final = (*_COLOURS, "fine_detail", "sharpness", "empty", "stained", "off_stain")
"""Names of the numbers of an image.

The fifteen colour numbers (CIE 1976 L*a*b*); `fine_detail`, log10 of the energy of the Laplacian of the lightness;
`sharpness`, log10 of that energy over the variance of the lightness (blurring lowers it, contrast does not change it);
`empty`, share of cells of 8x8 pixels without detail; `stained`, share of pixels that absorb light; `off_stain`, share
of the absorbed light in directions that no mixture of haematoxylin and eosin has.
"""

_STORE: Final = "statistics-1"
_SRGB_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    dtype=np.float32,
)
_WHITE_D65: Final = np.array([0.95047, 1.0, 1.08883], dtype=np.float32)
_LEVELS: Final = np.linspace(0, 1, 256, dtype=np.float32)
_LINEAR: Final = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_DENSITY: Final = -np.log10((np.arange(256, dtype=np.float32) + 1) / 256)
"""Optical density of an 8-bit value; 255 is clear glass."""

_STAINS: Final = np.array([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105]], dtype=np.float32)
"""Red, green and blue absorbed by haematoxylin and by eosin (Ruifrok and Johnston 2001, Anal Quant Cytol Histol 23)."""

_STAINED_DENSITY: Final = 0.15
_CELL: Final = 8
_FLAT_LIGHTNESS: Final = 1.5
_SMALLEST: Final = 1e-4


def colour_numbers(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return mean, standard deviation and 10, 50, 90 percentile of L*, a* and b*, (15,).

    Args:
        image: (height, width, 3) sRGB, white point D65 (CIE 1976 L*a*b*).
    """
    return _colour_numbers(_lab(image))


def image_statistics(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the numbers of `STATISTICS`, (20,), measured on the whole image squashed to a square.

    Args:
        image: (height, width, 3) RGB, 0..255, any size.
    """
    squashed = apply_view(image, "identity", size=STATISTICS_SIZE)
    lab = _lab(squashed)
    lightness = lab[0].reshape(squashed.shape[:2])
    return np.concatenate([_colour_numbers(lab), _detail(lightness), _stain(squashed)]).astype(np.float32)


def statistics_store() -> FeatureStore:
    """Return where the statistics of images are kept, by the digest of their pixels, under the view `identity`."""
    from lobule.features.store import FeatureStore
    from lobule.provenance import cache_folder

    return FeatureStore(cache_folder() / "features" / _STORE, feature_size=len(STATISTICS))


def statistics_of(manifest: Manifest, *, progress: Progress = silent) -> NDArray[np.float32]:
    """Return the statistics of every image, (n, 20), computed once for the same pixels, ever."""
    store = statistics_store()
    digests = manifest.frame["pixel_sha256"].tolist()
    found, values = store.read(digests, "identity")
    missing = np.flatnonzero(~found)
    paths = manifest.paths
    with ThreadPoolExecutor() as pool:
        measured = pool.map(_of_file, [paths[row] for row in missing])
        for done, (row, numbers) in enumerate(zip(missing, measured, strict=True), start=1):
            values[row] = numbers
            progress("image statistics", done, len(missing))
    if len(missing):
        store.append([digests[row] for row in missing], "identity", values[missing])
    return values


def _of_file(path: Path) -> NDArray[np.float32]:
    return image_statistics(decode(path))


def _lab(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return L*, a*, b* of every pixel, (3, n)."""
    ratio = (_LINEAR[image].reshape(-1, 3) @ _SRGB_TO_XYZ.T) / _WHITE_D65
    delta = 6 / 29
    f = np.where(ratio > delta**3, np.cbrt(ratio), ratio / (3 * delta**2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])


def _colour_numbers(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    percentiles = np.percentile(lab, [10, 50, 90], axis=1)
    return np.concatenate([lab.mean(axis=1), lab.std(axis=1), percentiles.ravel()]).astype(np.float32)


def _detail(lightness: NDArray[np.float32]) -> list[float]:
    """Return fine_detail, sharpness and empty."""
    inner = lightness[1:-1, 1:-1]
    laplacian = (
        lightness[:-2, 1:-1] + lightness[2:, 1:-1] + lightness[1:-1, :-2] + lightness[1:-1, 2:] - np.float32(4) * inner
    )
    energy = float(np.mean(laplacian**2, dtype=np.float64))
    variance = float(np.var(lightness, dtype=np.float64))
    rows, columns = lightness.shape
    cells = lightness.reshape(rows // _CELL, _CELL, columns // _CELL, _CELL)
    flat = cells.std(axis=(1, 3)) < _FLAT_LIGHTNESS
    return [
        float(np.log10(energy + _SMALLEST)),
        float(np.log10((energy + _SMALLEST) / (variance + 1))),
        float(flat.mean()),
    ]


def _stain(image: NDArray[np.uint8]) -> list[float]:
    """Return stained and off_stain: how much light is absorbed at all, and by what cannot be H&E."""
    density = _DENSITY[image[::2, ::2]].reshape(-1, 3)
    total = density.sum(axis=1)
    stained = total > 3 * _STAINED_DENSITY
    if not stained.any():
        return [0.0, 0.0]
    seen = density[stained]
    residual = np.linalg.norm(seen - _of_stains(seen), axis=1)
    off = float(residual.sum(dtype=np.float64) / np.linalg.norm(seen, axis=1).sum(dtype=np.float64))
    return [float(stained.mean()), off]


def _of_stains(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the nearest mixtures of the two stains, amounts not negative, (n, 3)."""
    unit = _STAINS / np.linalg.norm(_STAINS, axis=1, keepdims=True)
    free = density @ np.linalg.pinv(unit).astype(np.float32)
    alone = np.maximum(density @ unit.T, 0)
    amounts = np.maximum(free, 0)
    amounts[free[:, 0] < 0] = alone[free[:, 0] < 0] * np.array([0, 1], np.float32)
    amounts[free[:, 1] < 0] = alone[free[:, 1] < 0] * np.array([1, 0], np.float32)
    return np.asarray(amounts @ unit, dtype=np.float32)
