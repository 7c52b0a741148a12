"""The network of the starter model: two stages of filters, and a linear map from both."""

from __future__ import annotations

from typing import Any

from lobule.features.backbones import STARTER_CHANNELS
from lobule.features.keras_runtime import import_keras

__all__ = ["starter_network"]


def starter_network(*, include_top: bool, weights: None, input_tensor: Any) -> Any:
    """Build the network like an application of Keras; there is neither a classifier nor a published file of weights.

    Of 224 pixels, "texture" sees windows of 7 in steps of 4 (56 x 56), "cells" windows of 3 of its pooled map (28 x 28,
    about 30 pixels); "last" maps both, pooled to 14 x 14, to what is predicted of the teacher there.

    Args:
        include_top: False.
        weights: None.
        input_tensor: scaled pixels, (n, S, S, 3).
    """
    assert not include_top
    assert weights is None
    keras = import_keras()
    layers, channels = keras.layers, STARTER_CHANNELS

    def halved(tensor: Any, name: str) -> Any:
        return layers.AveragePooling2D(2, name=name)(tensor)

    texture = layers.Conv2D(channels["texture"], 7, strides=4, padding="same", activation="relu", name="texture")
    coarse = halved(texture(input_tensor), "texture_pool")
    bottleneck = layers.Conv2D(channels["bottleneck"], 1, name="bottleneck")(coarse)
    cells = layers.Conv2D(channels["cells"], 3, padding="same", activation="relu", name="cells")(bottleneck)
    stages = layers.Concatenate(name="stages")([halved(coarse, "texture_pool_2"), halved(cells, "cells_pool")])
    last = layers.Conv2D(channels["last"], 1, name="last")(stages)
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], last)
