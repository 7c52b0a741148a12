"""Fifteen colour numbers of an image: what a classifier could know without seeing a single cell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from lobule.data.images import decode
from lobule.features.statistics import COLOUR_NUMBERS, colour_numbers
from lobule.features.store import FeatureStore
from lobule.features.views import apply_view
from lobule.progress import Progress, silent
from lobule.provenance import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest

__all__ = ["COLOUR_NUMBERS", "colour_features", "colour_numbers"]

_SIZE = 224
_STORE = "colour-only-1"


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
