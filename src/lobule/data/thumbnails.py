"""A small grey picture of an image: enough to tell a copy from another field of view, too small for anything else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["SIDE", "THUMBNAIL", "thumbnail"]

SIDE = 32
"""Side of a thumbnail in pixels."""

THUMBNAIL = "1"
"""Version of the rule below; thumbnails are comparable within one."""


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squash an image to a grey square, so that a copy squashed by somebody else gives the same.

    Args:
        image: (height, width, 3) RGB.

    Returns:
        (SIDE, SIDE), 0..255.
    """
    grey = Image.fromarray(image).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
