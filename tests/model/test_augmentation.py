from __future__ import annotations

import numpy as np
import pytest

from lobule.features.keras_runtime import import_keras
from lobule.model.augmentation import Augmentation, reseed

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def augmentation() -> Augmentation:
    return Augmentation(24)


@pytest.fixture(scope="module")
def images() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (5, 24, 24, 3), dtype=np.uint8)


def test_same_state_same_variants_whatever_was_drawn_between(
    augmentation: Augmentation, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    first = augmentation.draw(images, 7, 1, 0)
    other = [augmentation.draw(images, *state) for state in ((7, 1, 1), (7, 2, 0), (8, 1, 0))]
    np.testing.assert_array_equal(first, augmentation.draw(images, 7, 1, 0))
    assert all(not np.array_equal(first, each) for each in other)


def test_variants_are_images_of_their_own(
    augmentation: Augmentation, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    same = np.repeat(images[:1], 6, axis=0)
    drawn = augmentation.draw(same, 0, 1, 0)
    assert drawn.dtype == np.float32
    assert drawn.shape == same.shape
    assert drawn.min() >= 0
    assert drawn.max() <= 255
    assert len({variant.tobytes() for variant in drawn}) == 6


def test_generators_of_equal_layers_differ() -> None:
    keras = import_keras()
    layers = [keras.layers.Dropout(0.5, seed=1), keras.layers.Dropout(0.5, seed=1)]
    reseed(layers, 3, 4)
    states = [np.asarray(layer.variables[0]) for layer in layers]
    assert not np.array_equal(states[0], states[1])
    reseed(layers, 3, 5)
    assert not np.array_equal(states[0], np.asarray(layers[0].variables[0]))
