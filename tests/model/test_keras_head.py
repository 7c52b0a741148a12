from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lobule.config import HeadSettings
from lobule.errors import VerificationError
from lobule.features.keras_runtime import import_keras
from lobule.model.head import Head
from lobule.model.keras_head import apply_layers, head_of, keras_layers_of
from lobule.taxonomy import Task
from tests.model.heads import random_head

pytestmark = pytest.mark.keras

TENSORS = ("mean", "scale", "hidden_kernel", "hidden_bias", "output_kernel", "output_bias")


def assert_same(one: Head, other: Head) -> None:
    assert one.task == other.task
    for name in TENSORS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("task", ["binary", "subtype"])
@pytest.mark.parametrize("hidden", [0, 16])
def test_round_trip_is_exact_and_logits_agree(task: Task, hidden: int) -> None:
    head = random_head(task, features=40, hidden=hidden)
    layers = keras_layers_of(head)
    assert_same(head, head_of(task, layers))
    features = np.random.default_rng(1).normal(3, 5, (20, 40)).astype(np.float32)
    logits = np.asarray(apply_layers(layers, features))
    np.testing.assert_allclose(logits, head.logits(features), rtol=1e-5, atol=1e-6 * np.abs(logits).max())


def test_layers_for_training_hold_the_same_head_with_dropout_and_penalty() -> None:
    head = random_head("binary", features=12, hidden=6)
    settings = HeadSettings(dropout=0.4, input_dropout=0.2, l2=0.01)
    layers = keras_layers_of(head, settings=settings, seed=3)
    assert_same(head, head_of("binary", layers))
    assert [type(layer).__name__ for layer in layers] == ["Normalization", "Dropout", "Dense", "Dropout", "Dense"]
    penalty = sum(float(loss) for layer in layers for loss in layer.losses)
    kernels = [head.hidden_kernel, head.output_kernel]
    assert penalty == pytest.approx(0.01 * sum(float((kernel**2).sum()) for kernel in kernels), rel=1e-5)
    trained = [variable for layer in layers for variable in layer.trainable_variables]
    assert len(trained) == 4


def test_single_precision_under_a_mixed_policy() -> None:
    keras = import_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        head = random_head("subtype", features=12, hidden=6)
        layers = keras_layers_of(head)
        features = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
        logits = np.asarray(apply_layers(layers, features))
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_allclose(logits, head.logits(features), rtol=1e-5, atol=1e-5)


def test_refuses_a_scale_that_keras_would_replace() -> None:
    head = random_head("binary", features=5, hidden=0)
    with pytest.raises(VerificationError, match="scale must be at least"):
        keras_layers_of(replace(head, scale=np.full(5, 1e-9, np.float32)))


def test_refuses_layers_that_are_no_head() -> None:
    layers = keras_layers_of(random_head("binary", features=5, hidden=0))
    with pytest.raises(VerificationError, match="expected Normalization"):
        head_of("binary", layers[1:])
