from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lobule.config import DataSettings
from lobule.data.manifest import Manifest
from lobule.data.phantom import PhantomSummary
from lobule.data.scan import scan
from lobule.features import statistics
from lobule.features.statistics import (
    COLOUR_NUMBERS,
    STATISTICS,
    STATISTICS_SIZE,
    colour_numbers,
    image_statistics,
    statistics_of,
)
from lobule.features.views import apply_view


def number(image: NDArray[np.uint8], name: str) -> float:
    return float(image_statistics(image)[STATISTICS.index(name)])


def noise(seed: int = 0, size: int = STATISTICS_SIZE) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)


def blurred(image: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def stained(haematoxylin: NDArray[np.float64], eosin: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return light that went through amounts (h, w) of the two stains (Beer and Lambert)."""
    absorbed = haematoxylin[..., None] * (0.650, 0.704, 0.286) + eosin[..., None] * (0.072, 0.990, 0.105)
    return np.rint(256 * 10**-absorbed - 1).clip(0, 255).astype(np.uint8)


def test_the_numbers_have_their_names() -> None:
    assert len(set(STATISTICS)) == len(STATISTICS) == 20
    image = noise()
    numbers = image_statistics(image)
    assert numbers.shape == (20,)
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers[:COLOUR_NUMBERS], colour_numbers(image))
    grey = np.full((50, 60, 3), 119, np.uint8)
    assert number(grey, "lightness_mean") == pytest.approx(50, abs=0.2)
    assert number(grey, "a_mean") == pytest.approx(0, abs=0.01)
    assert number(grey, "lightness_sd") == pytest.approx(0, abs=1e-3)


@given(st.integers(0, 255), st.integers(1, 300), st.integers(1, 300))
def test_any_flat_image_is_empty_and_has_finite_numbers(level: int, height: int, width: int) -> None:
    numbers = image_statistics(np.full((height, width, 3), level, np.uint8))
    assert np.isfinite(numbers).all()
    assert numbers[STATISTICS.index("empty")] == 1


def test_half_an_empty_image_is_half_empty() -> None:
    image = noise()
    image[:112] = 255
    assert number(image, "empty") == 0.5
    assert number(noise(), "empty") == 0


def test_blurring_lowers_sharpness_and_contrast_hardly_changes_it() -> None:
    image = blurred(noise(), 1)
    levels = [number(blurred(noise(), radius), "sharpness") for radius in (0.5, 1, 2, 4)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] - levels[-1] > 1
    pale = (128 + (image.astype(float) - 128) / 2).astype(np.uint8)
    assert number(pale, "sharpness") == pytest.approx(number(image, "sharpness"), abs=0.1)
    assert number(pale, "fine_detail") < number(image, "fine_detail") - 0.4


def test_mixtures_of_haematoxylin_and_eosin_are_on_stain_and_other_dyes_are_not() -> None:
    rng = np.random.default_rng(0)
    amounts = rng.uniform(0.1, 0.8, (2, 224, 224))
    tissue = stained(*amounts)
    assert number(tissue, "off_stain") < 0.03
    assert number(tissue, "stained") > 0.5
    green = tissue[..., [1, 0, 2]]
    assert number(green, "off_stain") > 0.3
    assert number(255 - tissue, "off_stain") > 0.15
    clear = np.full((20, 20, 3), 255, np.uint8)
    assert (number(clear, "stained"), number(clear, "off_stain")) == (0, 0)


def test_the_size_of_the_file_does_not_count() -> None:
    image = noise()
    np.testing.assert_array_equal(
        image_statistics(np.kron(image[:60, :90], np.ones((4, 4, 1), np.uint8)))[15:].shape, (5,)
    )
    large = np.asarray(Image.fromarray(image).resize((700, 460)))
    np.testing.assert_array_equal(
        image_statistics(large), image_statistics(apply_view(large, "identity", size=STATISTICS_SIZE))
    )


def test_a_manifest_is_measured_once(phantom: PhantomSummary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path))
    manifest: Manifest = scan(phantom.folder, settings=DataSettings()).manifest
    told: list[tuple[str, int, int]] = []
    first = statistics_of(manifest, progress=lambda *event: told.append(event))
    assert told[-1] == ("image statistics", len(manifest), len(manifest))
    assert first.shape == (len(manifest), len(STATISTICS))

    def never(_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(statistics, "decode", never)
    order = manifest.frame["image_id"].tolist()[::-1]
    np.testing.assert_array_equal(statistics_of(manifest.select(order)), first[::-1])
