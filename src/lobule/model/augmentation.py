"""On-the-fly augmentation with Keras layers; what a batch looks like depends only on seed, epoch and step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lobule.features.keras_runtime import import_keras

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Augmentation", "reseed"]

_TURN: Final = 0.5
"""Largest turn, as a share of a full one: tissue has no upside."""
_ZOOM: Final = 0.1
_BRIGHTNESS: Final = 0.08
_CONTRAST: Final = 0.15
_RANGE: Final = (0, 255)


class Augmentation:
    """Flips, turns, zoom, brightness and contrast, applied in training only; the training graph stays free of it."""

    def __init__(self, size: int) -> None:
        """Build the layers.

        Args:
            size: side of the images in pixels.
        """
        layers = import_keras().layers
        self._model = import_keras().Sequential(
            [
                layers.Input((size, size, 3), dtype="float32"),
                layers.RandomFlip("horizontal_and_vertical", dtype="float32"),
                layers.RandomRotation(_TURN, fill_mode="reflect", dtype="float32"),
                layers.RandomZoom((-_ZOOM, _ZOOM), fill_mode="reflect", dtype="float32"),
                layers.RandomBrightness(_BRIGHTNESS, value_range=_RANGE, dtype="float32"),
                layers.RandomContrast(_CONTRAST, value_range=_RANGE, dtype="float32"),
            ],
            name="augmentation",
        )

    def draw(self, images: NDArray[np.uint8], *state: int) -> NDArray[np.float32]:
        """Return one random variant of each image.

        Args:
            images: (n, S, S, 3) RGB, 0..255.
            state: seed, epoch and step; the same numbers give the same variants.

        Returns:
            (n, S, S, 3) RGB, 0..255.
        """
        reseed(self._model.layers, *state)
        drawn = self._model(images.astype(np.float32), training=True)
        return np.clip(np.asarray(import_keras().ops.convert_to_numpy(drawn), dtype=np.float32), *_RANGE)


def reseed(layers: Iterable[Any], *state: int) -> None:
    """Set every random generator of some layers to a state that depends on these numbers and its place alone."""
    generators = [
        variable for layer in layers for variable in layer.variables if variable.path.endswith("seed_generator_state")
    ]
    for place, generator in enumerate(generators):
        words = np.random.SeedSequence([*state, place]).generate_state(int(np.prod(generator.shape)), np.uint32)
        generator.assign(words.reshape(generator.shape).astype(generator.dtype))
