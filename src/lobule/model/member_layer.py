"""Dense layers of many fits, and of the members within each, as one batched matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np

from lobule.features.keras_runtime import import_keras

__all__ = ["member_layer"]


def member_layer(fits: int, members: int, inputs: int, outputs: int, *, activation: str | None, seed: int) -> Any:
    """Return a Keras layer: (K, B, M x inputs) -> (K, B, M x outputs), where no fit and no member sees another's.

    The kernels of a fit's members, (M, inputs, outputs), are laid out as blocks on a diagonal, so that the layer and
    its gradient are one product each. Einsum does the same with transposed copies of its inputs, which costs half as
    much again as the products.

    Args:
        fits: K.
        members: M.
        inputs: numbers that a member takes.
        outputs: numbers that it gives.
        activation: name of Keras' activation; None: none.
        seed: of the first kernels, drawn with a variance of 2 / inputs.
    """
    keras = import_keras()

    class MemberLayer(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def build(self, _: Any) -> None:
            drawn = keras.initializers.RandomNormal(stddev=(2 / inputs) ** 0.5, seed=seed)
            self.kernel = self.add_weight(shape=(fits, members, inputs, outputs), initializer=drawn, name="kernel")
            self.bias = self.add_weight(shape=(fits, 1, members * outputs), initializer="zeros", name="bias")

        def call(self, features: Any) -> Any:
            kernel = keras.ops.convert_to_tensor(self.kernel)
            if members > 1:
                diagonal = np.eye(members, dtype=np.float32)[:, None, :, None]
                kernel = kernel[:, :, :, None] * diagonal
            products = keras.ops.matmul(features, keras.ops.reshape(kernel, (fits, members * inputs, -1)))
            return keras.activations.get(activation)(products + self.bias)

    return MemberLayer()
