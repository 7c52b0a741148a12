from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lobule.errors import ConfigError
from lobule.features.views import VIEWS, apply_view, apply_views, undo_view_on_map
from tests.features.conftest import noise

TURNS = [view for view in VIEWS if not view.startswith("crop")]
CROPS = [view for view in VIEWS if view.startswith("crop")]


@pytest.mark.parametrize("shape", [(45, 70), (32, 32), (1, 90)])
def test_several_views_are_those_that_are_made_one_by_one(shape: tuple[int, int]) -> None:
    image = noise(*shape, seed=4)
    for views in (VIEWS, tuple(CROPS), ("flip_vertical",), ()):
        for ours, alone in zip(apply_views(image, views, size=32), views, strict=True):
            np.testing.assert_array_equal(ours, apply_view(image, alone, size=32))


@given(view=st.sampled_from(VIEWS), height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 9))
def test_a_view_is_a_contiguous_square_and_always_the_same(view: str, height: int, width: int, seed: int) -> None:
    image = noise(height, width, seed=seed)
    once = apply_view(image, view, size=32)
    assert once.shape == (32, 32, 3)
    assert once.dtype == np.uint8
    assert once.flags.c_contiguous
    np.testing.assert_array_equal(once, apply_view(image.copy(), view, size=32))


@given(view=st.sampled_from(TURNS), seed=st.integers(0, 99))
def test_undoing_a_turn_brings_a_map_back(view: str, seed: int) -> None:
    image = noise(50, 70, seed=seed)
    original = _map_of(apply_view(image, "identity", size=28))
    np.testing.assert_allclose(undo_view_on_map(_map_of(apply_view(image, view, size=28)), view), original)


def test_the_turns_are_eight_different_ones() -> None:
    image = noise(32, 32, seed=0)
    assert len({apply_view(image, view, size=32).tobytes() for view in TURNS}) == 8


def test_an_image_of_the_right_size_is_not_resampled() -> None:
    image = noise(32, 32, seed=0)
    np.testing.assert_array_equal(apply_view(image, "identity", size=32), image)


@pytest.mark.parametrize(
    ("view", "rows", "columns"),
    [
        ("crop_top_left", slice(0, 24), slice(0, 48)),
        ("crop_top_right", slice(0, 24), slice(16, 64)),
        ("crop_bottom_left", slice(8, 32), slice(0, 48)),
        ("crop_bottom_right", slice(8, 32), slice(16, 64)),
        ("crop_centre", slice(4, 28), slice(8, 56)),
    ],
)
def test_a_crop_is_three_quarters_of_each_side(view: str, rows: slice, columns: slice) -> None:
    image = noise(32, 64, seed=3)
    np.testing.assert_array_equal(
        apply_view(image, view, size=16), apply_view(image[rows, columns], "identity", size=16)
    )


@pytest.mark.parametrize("view", CROPS)
def test_the_map_of_a_crop_lies_where_the_crop_was_cut(view: str) -> None:
    cells = 16
    position = (np.arange(cells) + 0.5) / cells
    start_row = {"t": 0.0, "c": 0.125, "b": 0.25}[view.split("_")[1][0]]
    start_column = 0.125 if view == "crop_centre" else (0.25 if view.endswith("right") else 0.0)
    in_frame = start_row + 0.75 * position[:, None] + 10 * (start_column + 0.75 * position[None, :])
    back = undo_view_on_map(in_frame, view)
    expected = position[:, None] + 10 * position[None, :]
    inside = ~np.isnan(back)
    assert inside.mean() == pytest.approx(0.75**2)
    np.testing.assert_allclose(back[inside], expected[inside], atol=10 * 0.75 / cells)


def test_an_unknown_view_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"upside_down.*flip_vertical"):
        apply_view(noise(4, 4, seed=0), "upside_down", size=8)


def _map_of(view: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(view[..., 0].reshape(7, 4, 7, 4).mean((1, 3)), np.float64)
