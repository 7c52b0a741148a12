"""Fifteen colour numbers of an image: what a classifier could know without seeing a single cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobule.features.statistics import COLOUR_NUMBERS, colour_numbers, statistics_of
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest

__all__ = ["COLOUR_NUMBERS", "colour_features", "colour_numbers"]


def colour_features(manifest: Manifest, *, progress: Progress = silent) -> NDArray[np.float32]:
    """Return the colour numbers of every image, (1, n, 15): the first of its statistics."""
    return statistics_of(manifest, progress=progress)[None, :, :COLOUR_NUMBERS]
