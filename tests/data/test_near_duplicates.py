from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lobule.data.near_duplicates import near_duplicates
from lobule.data.thumbnails import SIDE, thumbnail
from tests.data.pictures import encoded, tissue

ORIENTATIONS = list(Image.Transpose)


def lossy(image: Image.Image, kind: str, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, kind, quality=quality))).convert("RGB")


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 60": lambda image: lossy(image, "JPEG", 60),
    "JPEG 95": lambda image: lossy(image, "JPEG", 95),
    "WebP": lambda image: lossy(image, "WEBP", 60),
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "squashed": lambda image: image.resize((224, 224)),
    "all": lambda image: lossy(image.resize((96, 96)).transpose(Image.Transpose.TRANSVERSE), "JPEG", 60),
}


def thumbnails_of(*images: Image.Image | NDArray[Any]) -> NDArray[np.uint8]:
    return np.stack([thumbnail(np.asarray(image)) for image in images])


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_a_changed_copy_is_found_among_others(copy: Callable[[Image.Image], Image.Image]) -> None:
    images = [Image.fromarray(tissue(seed)) for seed in range(20)]
    found = near_duplicates(thumbnails_of(*images, *(copy(image) for image in images)))
    assert found == [(row, row + 20) for row in range(20)]


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.permutations(range(8)))
def test_every_orientation_is_one_picture(seed: int, order: list[int]) -> None:
    image = Image.fromarray(tissue(seed))
    turned = [image, *(image.transpose(way) for way in ORIENTATIONS)]
    assert near_duplicates(thumbnails_of(*(turned[position] for position in order))) == [tuple(range(8))]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 10_000), unique=True, max_size=12))
def test_different_pictures_are_never_grouped(seeds: list[int]) -> None:
    images = [tissue(seed) for seed in seeds]
    assert near_duplicates(thumbnails_of(*images) if images else np.empty((0, SIDE, SIDE), np.uint8)) == []


def test_a_neighbouring_field_is_not_a_copy() -> None:
    wide = tissue(3, width=1400, height=920)
    fields = [wide[:460, left : left + 700] for left in (0, 120, 240, 360)]
    assert near_duplicates(thumbnails_of(*fields)) == []


def test_another_magnification_of_a_field_is_not_a_copy() -> None:
    field = Image.fromarray(tissue(4, width=700, height=460))
    closer = field.crop((175, 115, 525, 345)).resize((700, 460))
    assert near_duplicates(thumbnails_of(field, closer)) == []


def test_blank_images_show_nothing_that_could_be_a_copy() -> None:
    noise = np.random.default_rng(0).integers(250, 253, (2, 60, 60, 3), dtype=np.uint8)
    assert near_duplicates(thumbnails_of(np.full((50, 50, 3), 255, np.uint8), np.zeros((50, 50, 3), np.uint8))) == []
    assert near_duplicates(thumbnails_of(*noise, noise[0][::-1])) == []


def test_a_thumbnail_is_a_grey_square() -> None:
    small = thumbnail(tissue(0))
    assert small.shape == (SIDE, SIDE)
    assert small.dtype == np.uint8
    assert (thumbnail(np.full((3, 900, 3), 77, np.uint8)) == 77).all()
