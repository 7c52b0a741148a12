from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from lobule.config import DataSettings
from lobule.controls.perturbations import (
    CONDITIONS,
    blur,
    brightness,
    half_resolution,
    jpeg,
    stain_gain,
    stain_strengths,
)
from lobule.data.images import decode
from lobule.data.phantom import PhantomSummary
from lobule.data.scan import scan

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
_STEPS = [(name, amount) for name, condition in CONDITIONS.items() for amount in condition.amounts]
_HAEMATOXYLIN = np.array([0.650, 0.704, 0.286]) / np.linalg.norm([0.650, 0.704, 0.286])
_EOSIN = np.array([0.072, 0.990, 0.105]) / np.linalg.norm([0.072, 0.990, 0.105])


@pytest.fixture(scope="module")
def tissue(phantom: PhantomSummary) -> Pixels:
    manifest = scan(phantom.folder, settings=DataSettings()).manifest
    return decode(manifest.paths[0]).repeat(5, axis=0).repeat(5, axis=1)


def _noise(seed: int, *, height: int = 46, width: int = 70) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _dyed(direction: np.ndarray, strength: float) -> Pixels:
    values = 256 * 10 ** (-strength * direction) - 1
    return np.broadcast_to(np.rint(values).astype(np.uint8), (4, 4, 3)).copy()


def _difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize(("name", "amount"), _STEPS)
def test_pixels_in_pixels_out_and_the_image_itself_stays_as_it_is(tissue: Pixels, name: str, amount: float) -> None:
    before = tissue.copy()
    changed = CONDITIONS[name].apply(tissue, amount)
    again = CONDITIONS[name].apply(tissue, amount)
    assert changed.shape == tissue.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(tissue, before)
    assert np.array_equal(changed, again)
    assert np.array_equal(changed, tissue) == (amount == CONDITIONS[name].unchanged)


@pytest.mark.parametrize("name", ["jpeg_quality", "blur_sigma", "brightness", "haematoxylin_gain", "eosin_gain"])
def test_more_changes_more(tissue: Pixels, name: str) -> None:
    condition = CONDITIONS[name]
    start = 100.0 if condition.unchanged is None else condition.unchanged
    further: dict[bool, list[float]] = {True: [], False: []}
    for amount in sorted(condition.amounts, key=lambda amount: abs(amount - start)):
        if amount != start:
            further[amount > start].append(_difference(condition.apply(tissue, amount), tissue))
    for differences in further.values():
        assert differences == sorted(differences)
    assert further[True] or further[False]


@given(seed=st.integers(0, 50))
def test_a_gain_of_one_changes_nothing(seed: int) -> None:
    image = _noise(seed)
    for stain in (0, 1):
        assert np.array_equal(stain_gain(image, 1.0, stain=stain), image)
    assert np.array_equal(brightness(image, 1.0), image)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_image_stays_flat_under_blur_jpeg_and_half_resolution(value: int) -> None:
    flat = np.full((46, 70, 3), value, dtype=np.uint8)
    for changed in (blur(flat, 2), half_resolution(flat), jpeg(flat, 10)):
        assert np.abs(changed.astype(int) - value).max() <= 1


def test_white_stays_white_whatever_the_stain() -> None:
    white = np.full((4, 4, 3), 255, dtype=np.uint8)
    for factor in (0.6, 1.5):
        assert np.array_equal(stain_gain(white, factor), white)
        assert np.array_equal(stain_gain(white, factor, stain=1), white)


@pytest.mark.parametrize(("stain", "direction"), [(0, _HAEMATOXYLIN), (1, _EOSIN)])
@pytest.mark.parametrize("factor", [0.6, 1.25, 1.5])
def test_a_gain_scales_the_density_of_its_own_stain_alone(stain: int, direction: np.ndarray, factor: float) -> None:
    pure = _dyed(direction, 0.8)
    expected = _dyed(direction, 0.8 * factor)
    assert np.abs(stain_gain(pure, factor, stain=stain).astype(int) - expected).max() <= 2
    assert np.abs(stain_gain(pure, factor, stain=1 - stain).astype(int) - pure).max() <= 1
    strengths = stain_strengths(pure)[0, 0]
    assert strengths[stain] == pytest.approx(0.8, abs=0.02)
    assert np.abs(np.delete(strengths, stain)).max() < 0.02


def test_blur_is_measured_at_a_height_of_460_pixels() -> None:
    edge = np.zeros((230, 60, 3), dtype=np.uint8)
    edge[:, 30:] = 200
    expected = gaussian_filter1d(edge[0, :, 0].astype(float), 1.0, mode="nearest")
    assert np.abs(blur(edge, 2)[100, :, 0] - expected).max() <= 0.51


def test_half_resolution_forgets_a_chequerboard() -> None:
    board = np.indices((40, 40)).sum(axis=0) % 2 * 255
    image = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    assert half_resolution(image).std() < 1
    assert image.std() > 100
