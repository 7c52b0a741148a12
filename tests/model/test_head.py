from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lobule.errors import VerificationError
from lobule.model.head import Head, load_heads, save_heads
from lobule.taxonomy import TASKS, Task
from tests.model.tiny_bundle import make_head


def _logits(head: Head, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logits (n, C) of features (n, D), written out and in double precision."""
    values = (features - head.mean.astype(np.float64)) / head.scale
    if head.has_hidden_layer:
        values = np.maximum(0.0, np.einsum("nd,dh->nh", values, head.hidden_kernel) + head.hidden_bias)
    return np.asarray(np.einsum("nh,hc->nc", values, head.output_kernel) + head.output_bias)


@pytest.mark.parametrize("hidden", [0, 5])
@pytest.mark.parametrize("task", TASKS)
def test_logits_are_a_standardised_perceptron(task: Task, hidden: int) -> None:
    head = make_head(task, hidden=hidden)
    features = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    expected = _logits(head, features.astype(np.float64))
    np.testing.assert_allclose(head.logits(features), expected, rtol=1e-4, atol=1e-4)
    assert head.logits(features).dtype == np.float32
    assert head.has_hidden_layer == bool(hidden)


@given(seed=st.integers(0, 10_000), hidden=st.sampled_from([0, 1, 5]), output=st.integers(0, 7))
def test_gradient_is_the_slope_of_the_logit(seed: int, hidden: int, output: int) -> None:
    head = make_head("subtype", hidden=hidden, seed=seed)
    features = np.random.default_rng(seed).normal(size=6).astype(np.float32)
    step = 1e-7 * np.eye(6)
    slopes = (_logits(head, features + step) - _logits(head, features - step))[:, output] / 2e-7
    np.testing.assert_allclose(head.gradient(features, output), slopes, rtol=1e-4, atol=1e-3)


def test_heads_survive_a_file_bit_for_bit(tmp_path: Path) -> None:
    heads = {task: make_head(task, hidden=hidden) for task, hidden in zip(TASKS, (0, 5), strict=True)}
    save_heads(tmp_path / "heads.safetensors", heads)
    again = load_heads(tmp_path / "heads.safetensors")
    features = np.random.default_rng(2).normal(size=(3, 6)).astype(np.float32)
    assert tuple(again) == TASKS
    for task in TASKS:
        np.testing.assert_array_equal(again[task].logits(features), heads[task].logits(features))


def test_a_binary_head_alone_is_enough(tmp_path: Path) -> None:
    save_heads(tmp_path / "heads.safetensors", {"binary": make_head("binary")})
    assert list(load_heads(tmp_path / "heads.safetensors")) == ["binary"]


@pytest.mark.parametrize("damage", [b"", b"\xff" * 40, None])
def test_a_file_that_holds_no_heads_is_refused(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "heads.safetensors"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(VerificationError, match="cannot be read as heads"):
        load_heads(path)


def test_a_head_without_one_of_its_tensors_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = tmp_path / "heads.safetensors"
    save_heads(path, {"binary": make_head("binary")})
    tensors = load_file(path)
    del tensors["binary/scale"]
    save_file(tensors, path)
    with pytest.raises(VerificationError, match="lacks scale"):
        load_heads(path)


def test_shapes_and_scales_that_do_not_fit_are_refused() -> None:
    head = make_head("binary")
    tensors = (head.mean, head.scale, head.hidden_kernel, head.hidden_bias, head.output_kernel, head.output_bias)
    with pytest.raises(VerificationError, match="mean is"):
        Head("binary", head.mean[:-1], *tensors[1:])
    with pytest.raises(VerificationError, match="output_kernel is"):
        Head("subtype", *tensors)
    with pytest.raises(VerificationError, match="scale must be positive"):
        Head("binary", head.mean, head.scale * 0, *tensors[2:])
