from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from lobule.starter.solve import draw_patches, learn_filters, ridge


def _points(n: int = 400, d: int = 12) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.standard_normal((n, d)) @ random.standard_normal((d, d)) + 3).astype(np.float32)


def test_a_patch_is_a_window_of_one_image() -> None:
    maps = np.arange(3 * 8 * 9 * 2).reshape(3, 8, 9, 2)
    windows = {
        tuple(maps[image, row : row + 3, column : column + 3].ravel())
        for image in range(3)
        for row in range(6)
        for column in range(7)
    }
    patches = draw_patches(maps, 3, 200, np.random.default_rng(1))
    assert patches.shape == (200, 18)
    found = {tuple(patch.astype(int)) for patch in patches}
    assert found <= windows
    assert len(found) > 60


@pytest.mark.parametrize("penalty", [1e-3, 0.5])
def test_the_linear_map_is_that_of_scikit_learn(penalty: float) -> None:
    inputs = _points()
    targets = (inputs[:, :3] @ np.array([[1, 2], [0, 1], [3, 0]]) + 5 + _points(400, 2) * 0.1).astype(np.float32)
    weights, constant = ridge(inputs, targets, penalty=penalty)
    squares = float(((inputs - inputs.mean(0)) ** 2).sum()) / inputs.shape[1]
    expected = Ridge(alpha=penalty * squares).fit(inputs.astype(float), targets.astype(float))
    np.testing.assert_allclose(weights, expected.coef_.T, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(constant, expected.intercept_, rtol=1e-3, atol=1e-3)


def test_filters_answer_in_standard_deviations_less_the_offset() -> None:
    patches = _points()
    kernel, bias = learn_filters(patches, 6, directions=8, ridge=0.01, offset=0.5, random=np.random.default_rng(0))
    assert (kernel.shape, bias.shape) == ((12, 6), (6,))
    answers = patches @ kernel + bias
    np.testing.assert_allclose(answers.std(axis=0), 1, rtol=1e-3)
    np.testing.assert_allclose(answers.mean(axis=0), -0.5, atol=1e-3)


def test_the_same_random_numbers_give_the_same_filters() -> None:
    first, second, other = (
        learn_filters(_points(), 6, directions=8, ridge=0.01, offset=0.5, random=np.random.default_rng(seed))[0]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_filters_find_the_directions_that_patches_come_from() -> None:
    random = np.random.default_rng(3)
    directions = np.linalg.qr(random.standard_normal((12, 4)))[0].T
    patches = (directions[random.integers(0, 4, 2000)] * random.uniform(2, 3, (2000, 1))).astype(np.float32)
    patches += 0.01 * random.standard_normal(patches.shape).astype(np.float32)
    kernel, bias = learn_filters(patches, 4, directions=12, ridge=0.01, offset=0.5, random=np.random.default_rng(0))
    answers = np.maximum(2.5 * directions @ kernel + bias, 0)
    assert set(answers.argmax(axis=1)) == {0, 1, 2, 3}
