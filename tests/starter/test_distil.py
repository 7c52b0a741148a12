from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lobule.data.phantom import PhantomSummary
from lobule.data.scan import scan
from lobule.features.backbones import STARTER
from lobule.model.image_source import open_images
from lobule.starter.distil import Recipe, distil
from lobule.starter.teacher import MAP_SIDE, Lessons

pytestmark = [pytest.mark.keras, pytest.mark.slow]

QUICK = Recipe(patches=2000)


@pytest.fixture(scope="module")
def images(phantom: PhantomSummary) -> NDArray[np.uint8]:
    manifest = scan(phantom.folder).manifest
    return open_images(manifest.paths[:40], size=STARTER.input_size).take(np.arange(40))


@pytest.fixture(scope="module")
def lessons(images: NDArray[np.uint8]) -> Lessons:
    """Return what a teacher of 512 channels sees that looks at colours and at how much they vary."""
    cells = images.reshape(len(images), MAP_SIDE, 16, MAP_SIDE, 16, 3).astype(np.float32) / 255
    seen = np.concatenate([cells.mean(axis=(2, 4)), cells.std(axis=(2, 4))], axis=-1)
    mixed = seen @ np.random.default_rng(0).standard_normal((6, STARTER.feature_size())).astype(np.float32)
    return Lessons(mixed.astype(np.float16), mixed.mean(axis=(1, 2)))


def _said(encoder: Any, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    features, maps = encoder.predict_on_batch(images.astype(np.float32))
    return np.asarray(features), np.asarray(maps)


@pytest.fixture(scope="module")
def encoder(images: NDArray[np.uint8], lessons: Lessons) -> Any:
    return distil(images[:30], lessons.of(np.arange(40) < 30), recipe=QUICK, seed=0)


def test_it_sees_what_the_teacher_sees_in_images_that_it_did_not_see(
    encoder: Any, images: NDArray[np.uint8], lessons: Lessons
) -> None:
    features, _ = _said(encoder, images)
    level, spread = lessons.means[:30].mean(axis=0), lessons.means[:30].std(axis=0)
    wanted = (lessons.means - level) / spread
    explained = 1 - ((features - wanted)[30:] ** 2).sum() / (wanted[30:] ** 2).sum()
    assert explained > 0.5
    assert 1 - ((features - wanted)[:30] ** 2).sum() / (wanted[:30] ** 2).sum() > 0.8


def test_the_features_are_the_average_of_the_map(encoder: Any, images: NDArray[np.uint8]) -> None:
    features, maps = _said(encoder, images[:4])
    assert maps.shape == (4, MAP_SIDE, MAP_SIDE, STARTER.feature_size())
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), features, atol=1e-4)


def test_the_same_seed_gives_the_same_encoder(encoder: Any, images: NDArray[np.uint8], lessons: Lessons) -> None:
    rows = np.arange(40) < 30
    again = distil(images[:30], lessons.of(rows), recipe=QUICK, seed=0)
    other = distil(images[:30], lessons.of(rows), recipe=QUICK, seed=1)
    said = _said(encoder, images[30:])[0]
    np.testing.assert_allclose(_said(again, images[30:])[0], said, atol=1e-2)
    assert np.abs(_said(other, images[30:])[0] - said).max() > 0.05


def test_the_network_is_small_and_whole(encoder: Any) -> None:
    assert encoder.count_params() < 400_000
    assert [layer.name for layer in encoder.layers if layer.weights] == ["texture", "bottleneck", "cells", "last"]
    assert encoder.get_layer("stages").output.shape[-1] == STARTER.layers["stages"]
    assert encoder.get_layer("last").output.shape[-1] == STARTER.layers["last"]
