from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lobule.features.keras_runtime import import_keras
from lobule.model import adam
from lobule.model.adam import penalised_adam

pytestmark = pytest.mark.keras

_L2 = 0.05


def _trained(optimizer: Any, *, l2_in_loss: float) -> list[np.ndarray[Any, Any]]:
    """Return the weights of a small network after five steps."""
    keras = import_keras()
    random = np.random.default_rng(0)
    x, y = random.normal(size=(32, 5)).astype(np.float32), random.integers(0, 2, (32, 1)).astype(np.float32)
    dense = [
        keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.RandomNormal(seed=1),
            kernel_regularizer=keras.regularizers.L2(l2_in_loss) if l2_in_loss else None,
        )
        for units, activation in ((4, "relu"), (1, None))
    ]
    model = keras.Sequential([keras.Input((5,)), *dense])
    model.compile(optimizer=optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    for _ in range(5):
        model.train_on_batch(x, y)
    return [np.array(weight) for weight in model.get_weights()]


@pytest.mark.parametrize("l2", [0.0, _L2])
@pytest.mark.parametrize("backend", ["tensorflow", "another"])
def test_it_is_keras_adam_on_a_loss_with_a_penalty(monkeypatch: pytest.MonkeyPatch, l2: float, backend: str) -> None:
    expected = _trained(import_keras().optimizers.Adam(0.01), l2_in_loss=l2)
    if backend == "another":
        monkeypatch.setattr(adam, "keras_backend", lambda: backend)
    found = _trained(penalised_adam(0.01, l2=l2), l2_in_loss=0)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_the_penalty_changes_kernels() -> None:
    with_penalty, without = (_trained(penalised_adam(0.01, l2=l2), l2_in_loss=0) for l2 in (_L2, 0.0))
    assert not np.allclose(with_penalty[0], without[0], atol=1e-4)
