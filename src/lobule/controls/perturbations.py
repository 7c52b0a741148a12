"""What may happen to an image between two laboratories: pure functions from pixels to pixels."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "CONDITIONS",
    "Condition",
    "blur",
    "brightness",
    "half_resolution",
    "jpeg",
    "stain_gain",
    "stain_strengths",
]

Pixels = NDArray[np.uint8]

_REFERENCE_HEIGHT: Final = 460
"""Height in pixels of the photographs that blur is measured in: those of BreakHis."""

_HAEMATOXYLIN_EOSIN: Final = np.array([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105]])
"""Optical density of each stain in red, green and blue; Ruifrok and Johnston, "Quantification of histochemical
staining by color deconvolution", Anal Quant Cytol Histol 23:291-299, 2001."""

_DIRECTIONS: Final = np.vstack([_HAEMATOXYLIN_EOSIN, np.cross(*_HAEMATOXYLIN_EOSIN)])
_UNIT_STAINS: Final = _DIRECTIONS / np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)
"""Rows: haematoxylin, eosin, and perpendicular to both what they do not explain."""

_WHITE: Final = 255.0


@dataclass(frozen=True)
class Condition:
    """One way in which an image changes.

    Attributes:
        amounts: how much, in the order of a curve.
        unchanged: the amount at which (about) nothing changes, or None where there is none.
        apply: image (height, width, 3) RGB and amount to an image of the same size.
    """

    amounts: tuple[float, ...]
    unchanged: float | None
    apply: Callable[[Pixels, float], Pixels]


def jpeg(image: Pixels, quality: float) -> Pixels:
    """Return the image after JPEG compression by Pillow (4:2:0), quality 1 to 95."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=round(quality), subsampling="4:2:0")
    return np.array(Image.open(stream).convert("RGB"))


def blur(image: Pixels, sigma: float) -> Pixels:
    """Return the image blurred by a Gaussian.

    Args:
        image: (height, width, 3).
        sigma: in pixels of an image of 460 rows; scaled to the image's own height.
    """
    from scipy.ndimage import gaussian_filter

    scaled = sigma * image.shape[0] / _REFERENCE_HEIGHT
    return _as_pixels(gaussian_filter(image.astype(np.float32), (scaled, scaled, 0), mode="nearest"))


def brightness(image: Pixels, factor: float) -> Pixels:
    """Return the image with every value multiplied, clipped at 255."""
    return _as_pixels(image * np.float32(factor))


def half_resolution(image: Pixels, factor: float = 0.5) -> Pixels:
    """Return the image scaled down by a factor (area average) and up again (bicubic)."""
    height, width = image.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    reduced = Image.fromarray(image).resize(small, Image.Resampling.BOX)
    return np.array(reduced.resize((width, height), Image.Resampling.BICUBIC))


def stain_strengths(image: Pixels) -> NDArray[np.float32]:
    """Return how much haematoxylin, eosin and neither each pixel has, (height, width, 3).

    Optical density is -log10((value + 1) / 256), so that black is finite and white is zero; strengths are its
    coordinates in the unit vectors of the stains.
    """
    density = -np.log10((image.astype(np.float32) + 1) / (_WHITE + 1))
    return np.asarray(density @ np.linalg.inv(_UNIT_STAINS).astype(np.float32), dtype=np.float32)


def stain_gain(image: Pixels, factor: float, *, stain: int = 0) -> Pixels:
    """Return the image with the optical density of one stain multiplied.

    Only stain that is there is changed: a negative coordinate is the neighbour's, not the stain's.

    Args:
        image: (height, width, 3).
        factor: of the density; below 1 is paler.
        stain: 0 haematoxylin, 1 eosin.
    """
    strengths = stain_strengths(image)
    added = (factor - 1) * np.maximum(strengths[..., stain, None], 0) * _UNIT_STAINS[stain].astype(np.float32)
    density = strengths @ _UNIT_STAINS.astype(np.float32) + added
    return _as_pixels((_WHITE + 1) * np.power(np.float32(10), -density) - 1)


def _as_pixels(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, _WHITE), dtype=np.uint8)


_GAINS: Final = (0.6, 0.8, 1.0, 1.25, 1.5)

CONDITIONS: Final[Mapping[str, Condition]] = {
    "jpeg_quality": Condition((90, 70, 50, 30, 10), None, jpeg),
    "blur_sigma": Condition((1, 2, 3), 0, blur),
    "brightness": Condition((0.7, 0.85, 1.0, 1.15, 1.3), 1, brightness),
    "haematoxylin_gain": Condition(_GAINS, 1, stain_gain),
    "eosin_gain": Condition(_GAINS, 1, lambda image, factor: stain_gain(image, factor, stain=1)),
    "half_resolution": Condition((0.5,), 1, half_resolution),
}
"""What is measured, by its name in a table."""
