from __future__ import annotations

import numpy as np
import pytest

from lobule.config import FeatureSettings
from lobule.errors import DataError
from lobule.features.convert import parity_images
from lobule.features.keras_engine import KerasEngine
from lobule.features.spec import encoder_spec

pytestmark = [pytest.mark.slow, pytest.mark.keras]


@pytest.fixture(scope="module")
def engine() -> KerasEngine:
    settings = FeatureSettings(backbone="mobilenet_v2", weights="none", engine="keras", layers=("block_2_add",))
    return KerasEngine(encoder_spec(settings, seed=0))


def test_a_padded_batch_gives_the_same_as_a_full_one(engine: KerasEngine) -> None:
    images = parity_images(18, 224)
    together = engine.encode(images)
    assert together.shape == (18, 24)
    np.testing.assert_array_equal(together[:1], engine.encode(images[:1]))
    np.testing.assert_array_equal(together[16:], engine.encode(images[16:]))


def test_the_features_are_the_averages_of_the_map(engine: KerasEngine) -> None:
    features, maps = engine.maps(parity_images(3, 224))
    assert maps.shape == (3, 56, 56, 24)
    np.testing.assert_allclose(maps.mean((1, 2)), features, rtol=1e-3, atol=1e-4)


def test_no_images_give_no_rows(engine: KerasEngine) -> None:
    features, maps = engine.maps(np.empty((0, 224, 224, 3), np.uint8))
    assert (engine.encode([]).shape, features.shape, maps.shape) == ((0, 24), (0, 24), (0, 56, 56, 24))


def test_an_image_of_the_wrong_kind_is_refused(engine: KerasEngine) -> None:
    with pytest.raises(DataError, match=r"expected \(224, 224, 3\) of uint8"):
        engine.encode([np.zeros((10, 10, 3), np.uint8)])
