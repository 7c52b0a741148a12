"""Parts of the images that are scored on their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.levels import Images
from lobule.taxonomy import SUBTYPES

__all__ = ["by_magnification", "by_subtype"]


def by_magnification(images: Images) -> dict[str, NDArray[np.bool_]]:
    """Return masks of shape (n,) by magnification ("40", ..., last "unknown"), those that have images."""
    found = sorted(set(images.magnification.tolist()), key=lambda name: (name == "unknown", len(name), name))
    return {name: np.asarray(images.magnification == name, dtype=bool) for name in found}


def by_subtype(images: Images) -> dict[str, NDArray[np.bool_]]:
    """Return masks of shape (n,) by subtype, in the order of `SUBTYPES`, those that have images."""
    masks = {name: images.subtype == index for index, name in enumerate(SUBTYPES)}
    return {name: mask for name, mask in masks.items() if mask.any()}
