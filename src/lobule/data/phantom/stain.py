"""The stain and the camera of a case: how concentrations of two dyes become a photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lobule.data.phantom.noise import Floats, texture

__all__ = ["Stain"]

_HAEMATOXYLIN = (0.66, 0.72, 0.36)
_EOSIN = (0.10, 0.72, 0.30)


@dataclass(frozen=True)
class Stain:
    """What is common to all images of a case.

    Attributes:
        haematoxylin, eosin: (3,), optical density of a unit of dye in red, green and blue.
        background: (3,), light of the empty glass, 0 to 255.
        noise: deviation of the camera's noise, in grey levels.
        blur: radius of the blur in pixels.
    """

    haematoxylin: Floats
    eosin: Floats
    background: Floats
    noise: float
    blur: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Stain:
        """Return the stain of a new case; it does not depend on what the tissue is."""
        strength = np.exp(rng.normal(0, 0.22, 2))
        hue = rng.normal(0, 1, (2, 3)) * [[0.07, 0.05, 0.06], [0.04, 0.06, 0.09]]
        violet = rng.uniform(0, 0.12)
        haematoxylin = (np.array(_HAEMATOXYLIN) + hue[0]) * strength[0]
        eosin = (np.array(_EOSIN) + hue[1] + [violet, 0.03, violet / 3]) * strength[1]
        tint = np.array([0.0, 5.0, 0.0]) * rng.uniform(-0.5, 2.0) + rng.normal(0, 3.5, 3)
        return cls(
            haematoxylin=haematoxylin.clip(0.05, 1.4).astype(np.float32),
            eosin=eosin.clip(0.02, 1.4).astype(np.float32),
            background=(rng.uniform(222, 246) + tint).clip(195, 252).astype(np.float32),
            noise=float(rng.uniform(1.5, 4.5)),
            blur=float(rng.uniform(0.3, 0.9)),
        )

    def photograph(self, haematoxylin: Floats, eosin: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the image (height, width, 3) of two dyes (height, width), by the law of Beer and Lambert."""
        shape = (haematoxylin.shape[0], haematoxylin.shape[1])
        light, grain = _uneven_light(shape, rng), texture(rng, shape, 2.0) * np.float32(self.noise)
        planes = []
        for channel in range(3):
            plane = haematoxylin * -self.haematoxylin[channel]
            plane -= eosin * self.eosin[channel]
            np.exp(plane, out=plane)
            plane *= light * self.background[channel]
            plane += grain
            planes.append(Image.fromarray(np.clip(plane, 0, 255, out=plane).astype(np.uint8)))
        return np.asarray(Image.merge("RGB", planes).filter(ImageFilter.BoxBlur(self.blur)))


def _uneven_light(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Return the light over an image (height, width), about 1: tilted, and weaker in the corners."""
    tilt, exposure = rng.normal(0, 0.025, 2), 1 + rng.normal(0, 0.025)
    y, x = (np.linspace(-1, 1, side) for side in shape)
    down = exposure * (0.5 + tilt[0] * y - 0.03 * y * y)
    right = exposure * (0.5 + tilt[1] * x - 0.03 * x * x)
    return np.asarray(np.add.outer(down.astype(np.float32), right.astype(np.float32)))
