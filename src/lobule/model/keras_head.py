"""Heads as Keras layers and back: how a head is fine-tuned, and how it is exported to Keras users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lobule.errors import VerificationError
from lobule.features.keras_runtime import import_keras
from lobule.model.head import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lobule.config import HeadSettings
    from lobule.taxonomy import Task

__all__ = ["apply_layers", "head_of", "keras_layers_of"]

_SMALLEST_SCALE = 1e-7
"""Below this Keras' own epsilon would replace the scale."""


def keras_layers_of(head: Head, *, settings: HeadSettings | None = None, seed: int = 0) -> list[Any]:
    """Return the Keras layers that compute a head's logits, built and holding its tensors.

    They are built-in layers only (Normalization, Dense, Dropout), so that a saved model reloads in safe mode, and
    single precision under every dtype policy.

    Args:
        head: the head.
        settings: dropout and L2 penalty for training; None: neither, for inference.
        seed: seed of the dropout masks.

    Returns:
        Layers to be applied in this order; features (n, D) in, logits (n, C) out.

    Raises:
        VerificationError: a scale is too small for Keras to divide by.
    """
    keras = import_keras()
    if float(head.scale.min()) < _SMALLEST_SCALE:
        raise VerificationError(
            f"{head.task} head: scale must be at least {_SMALLEST_SCALE}, received {head.scale.min()}."
        )
    penalty = keras.regularizers.L2(settings.l2) if settings and settings.l2 else None
    layers = [
        keras.layers.Normalization(
            mean=head.mean.tolist(),
            variance=np.square(head.scale).tolist(),
            name=f"{head.task}_standardise",
            dtype="float32",
        )
    ]
    if settings and settings.input_dropout:
        layers.append(keras.layers.Dropout(settings.input_dropout, seed=seed, name=f"{head.task}_input_dropout"))
    if head.has_hidden_layer:
        layers.append(_dense(f"{head.task}_hidden", head.hidden_kernel, head.hidden_bias, "relu", penalty))
        if settings and settings.dropout:
            layers.append(keras.layers.Dropout(settings.dropout, seed=seed, name=f"{head.task}_dropout"))
    layers.append(_dense(f"{head.task}_logits", head.output_kernel, head.output_bias, None, penalty))
    layers[0].build((None, head.feature_size))
    return layers


def apply_layers(layers: Sequence[Any], tensor: Any) -> Any:
    """Return the result of applying Keras layers to a tensor, one after the other."""
    for layer in layers:
        tensor = layer(tensor)
    return tensor


def head_of(task: Task, layers: Sequence[Any]) -> Head:
    """Return the head that Keras layers hold; the inverse of `keras_layers_of`, exactly.

    Args:
        task: what the layers answer.
        layers: Normalization with fixed statistics, then one or two Dense layers, with Dropout anywhere.

    Raises:
        VerificationError: the layers are not those of a head.
    """
    keras = import_keras()
    dense = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
    if not layers or not isinstance(layers[0], keras.layers.Normalization) or len(dense) not in (1, 2):
        raise VerificationError(
            f"{task} head: expected Normalization and one or two Dense layers, "
            f"received {[type(layer).__name__ for layer in layers]}."
        )
    config = layers[0].get_config()
    mean = np.array(config["mean"], dtype=np.float32)
    scale = np.sqrt(np.array(config["variance"], dtype=np.float32))
    hidden = _tensors(dense[0]) if len(dense) == 2 else (np.zeros((len(mean), 0), np.float32), np.zeros(0, np.float32))
    return Head(task, mean, scale, *hidden, *_tensors(dense[-1]))


def _dense(
    name: str, kernel: NDArray[np.float32], bias: NDArray[np.float32], activation: str | None, penalty: Any
) -> Any:
    layer = import_keras().layers.Dense(
        len(bias), activation=activation, kernel_regularizer=penalty, name=name, dtype="float32"
    )
    layer.build((None, len(kernel)))
    layer.set_weights([kernel, bias])
    return layer


def _tensors(layer: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    kernel, bias = (np.array(tensor, dtype=np.float32) for tensor in layer.get_weights())
    return kernel, bias
