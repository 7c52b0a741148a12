"""The tiny backbone as an application of Keras; run as a module it measures one size, as `lobule.bench.scale_child`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.tiny_backbone import tiny_backbone


@contextmanager
def tiny_application() -> Iterator[None]:
    """Let the registry and `keras.applications` know the tiny backbone for a while."""
    from lobule.features.keras_runtime import import_keras

    keras = import_keras()

    def build(*, include_top: bool, weights: None, input_tensor: Any) -> Any:
        assert (include_top, weights) == (False, None)
        convolution = keras.layers.Conv2D(8, 5, strides=4, padding="same", activation="relu", name="last")
        return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], convolution(input_tensor))

    with pytest.MonkeyPatch.context() as patch, tiny_backbone():
        patch.setattr(keras.applications, "Tiny", build, raising=False)
        yield


if __name__ == "__main__":
    from lobule.bench.scale_child import main

    with tiny_backbone():
        sys.exit(main(sys.argv[1:]))
