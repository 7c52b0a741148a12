"""Fifteen colour numbers of an image: what a classifier could know without seeing a single cell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from lobule.data.images import decode
from lobule.features.store import FeatureStore
from lobule.features.views import apply_view
from lobule.progress import Progress, silent
from lobule.provenance import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest

__all__ = ["COLOUR_NUMBERS", "colour_features", "colour_numbers"]

COLOUR_NUMBERS = 15
_SIZE = 224
_STORE = "colour-only-1"
_SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    dtype=np.float32,
)
_WHITE_D65 = np.array([0.95047, 1.0, 1.08883], dtype=np.float32)
_LEVELS = np.linspace(0, 1, 256, dtype=np.float32)
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)


def colour_numbers(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return mean, standard deviation and 10, 50, 90 percentile of L*, a* and b*, (15,).

    Args:
        image: (height, width, 3) sRGB, white point D65 (CIE 1976 L*a*b*).
    """
    ratio = (_LINEAR[image].reshape(-1, 3) @ _SRGB_TO_XYZ.T) / _WHITE_D65
    delta = 6 / 29
    f = np.where(ratio > delta**3, np.cbrt(ratio), ratio / (3 * delta**2) + 4 / 29)
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])
    percentiles = np.percentile(lab, [10, 50, 90], axis=1)
    return np.concatenate([lab.mean(axis=1), lab.std(axis=1), percentiles.ravel()]).astype(np.float32)


def colour_features(manifest: Manifest, *, progress: Progress = silent) -> NDArray[np.float32]:
    """Return the colour numbers of every image, (1, n, 15), computed once for the same pixels, ever."""
    store = FeatureStore(cache_folder() / "features" / _STORE, feature_size=COLOUR_NUMBERS)
    digests = manifest.frame["pixel_sha256"].tolist()
    found, values = store.read(digests, "identity")
    missing = np.flatnonzero(~found)
    with ThreadPoolExecutor() as pool:
        paths = manifest.paths
        for done, (row, numbers) in enumerate(
            zip(missing, pool.map(_of_file, [paths[row] for row in missing]), strict=True), start=1
        ):
            values[row] = numbers
            progress("colour numbers", done, len(missing))
    if len(missing):
        store.append([digests[row] for row in missing], "identity", values[missing])
    return values[None]


def _of_file(path: Path) -> NDArray[np.float32]:
    return colour_numbers(apply_view(decode(path), "identity", size=_SIZE))
