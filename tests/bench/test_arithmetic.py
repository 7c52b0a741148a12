from __future__ import annotations

import math

import pytest

from lobule.bench.arithmetic import multiply_accumulates, product_peak
from lobule.config import FeatureSettings
from lobule.features.build import build_spec
from lobule.features.spec import encoder_spec


@pytest.mark.keras
def test_vgg16_costs_what_is_published() -> None:
    spec = encoder_spec(FeatureSettings(backbone="vgg16", weights="none"), seed=0)
    assert multiply_accumulates(build_spec(spec)) / 1e9 == pytest.approx(15.35, abs=0.005)


@pytest.mark.keras
def test_every_kind_of_kernel_is_counted() -> None:
    import keras

    image = keras.Input((8, 6, 4))
    tensor = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(image)
    tensor = keras.layers.SeparableConv2D(5, 3, strides=2, padding="same")(tensor)
    tensor = keras.layers.BatchNormalization()(tensor)
    tensor = keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(tensor))
    expected = 8 * 6 * 3 * 3 * 4 + 4 * 3 * (3 * 3 * 4 + 4 * 5) + 5 * 7
    assert multiply_accumulates(keras.Model(image, tensor)) == expected


def test_the_peak_is_a_rate() -> None:
    rate = product_peak("f32", side=64)()
    assert math.isfinite(rate)
    assert rate > 0
