from __future__ import annotations

import numpy as np
import pytest

from lobule.data.phantom.architecture import Tissue, grow
from lobule.data.phantom.canvas import HEIGHT, STEP, WIDTH
from lobule.data.phantom.noise import sample, smooth_noise, texture
from lobule.data.phantom.render import Window, choose_window, photograph
from lobule.data.phantom.stain import Stain
from lobule.taxonomy import LABEL_OF_SUBTYPE, MAGNIFICATIONS, SUBTYPES

SHAPE = (115, 175)


@pytest.fixture(scope="module")
def tissues() -> dict[str, Tissue]:
    return {name: grow(name, np.random.default_rng(index)) for index, name in enumerate(SUBTYPES)}


def test_only_malignant_tissue_has_a_malignant_part_and_never_all_of_it(tissues: dict[str, Tissue]) -> None:
    for name, tissue in tissues.items():
        share = (tissue.canvas.malignant < 0).mean()
        if LABEL_OF_SUBTYPE[name] == "benign":
            assert share == 0
        else:
            assert 0.1 < share < 0.8


def test_nuclei_are_as_many_as_in_tissue_and_none_in_open_spaces(tissues: dict[str, Tissue]) -> None:
    for tissue in tissues.values():
        assert 2000 < len(tissue.nuclei) < 20_000
        rows = np.clip(tissue.nuclei.y / STEP, 0, tissue.canvas.lumen.shape[0] - 1).astype(int)
        columns = np.clip(tissue.nuclei.x / STEP, 0, tissue.canvas.lumen.shape[1] - 1).astype(int)
        assert np.quantile(tissue.canvas.lumen[rows, columns], 0.02) > -4


@pytest.mark.parametrize("magnification", MAGNIFICATIONS)
def test_a_window_lies_inside_the_tissue_and_shows_some_of_what_matters(
    tissues: dict[str, Tissue], magnification: int
) -> None:
    for name, tissue in tissues.items():
        malignant = LABEL_OF_SUBTYPE[name] == "malignant"
        window = choose_window(tissue, magnification, SHAPE, np.random.default_rng(0), malignant=malignant)
        left, top, right, bottom = window.box
        assert min(left, top) >= 0
        assert right <= WIDTH / STEP
        assert bottom <= HEIGHT / STEP
        wanted = tissue.canvas.malignant if malignant else tissue.canvas.epithelium
        assert (wanted[int(top) : int(bottom) + 1, int(left) : int(right) + 1] < 8).mean() > 0.05


def test_ten_times_the_magnification_shows_a_tenth_of_the_width(tissues: dict[str, Tissue]) -> None:
    rng = np.random.default_rng(0)
    far, near = (choose_window(tissues["adenosis"], m, SHAPE, rng, malignant=False) for m in (40, 400))
    assert near.scale == pytest.approx(10 * far.scale)
    assert SHAPE[1] / near.scale == pytest.approx(100)


def test_the_same_place_looks_the_same_at_two_magnifications(tissues: dict[str, Tissue]) -> None:
    tissue, stain = tissues["phyllodes_tumor"], Stain.drawn(np.random.default_rng(3))
    near = Window(400, 300, 1.0, (200, 300))
    far = Window(400, 300, 0.5, (100, 150))
    images = [photograph(tissue, stain, window, np.random.default_rng(5))[0] for window in (near, far)]
    shrunk = images[0].reshape(100, 2, 150, 2, 3).mean(axis=(1, 3, 4))
    assert np.corrcoef(shrunk.ravel(), images[1].mean(axis=2).ravel())[0, 1] > 0.8


def test_glass_is_bright_and_nuclei_are_dark_and_blue() -> None:
    tissue = grow("tubular_adenoma", np.random.default_rng(1))
    stain = Stain.drawn(np.random.default_rng(2))
    image, malignant = photograph(tissue, stain, Window(500, 400, 2.0, (300, 400)), np.random.default_rng(0))
    assert (image.shape, image.dtype, malignant.any()) == ((300, 400, 3), np.dtype(np.uint8), np.False_)
    light = image.astype(float).mean(axis=2)
    bright, dark = image[light > np.quantile(light, 0.98)], image[light < np.quantile(light, 0.02)]
    assert np.abs(bright.mean(axis=0) - stain.background).max() < 25
    assert dark.mean() < 0.6 * bright.mean()
    assert dark[:, 2].mean() > dark[:, 1].mean()


def test_stains_are_drawn_without_knowing_the_tissue() -> None:
    stains = [Stain.drawn(np.random.default_rng(seed)) for seed in range(200)]
    haematoxylin = np.array([stain.haematoxylin for stain in stains])
    eosin = np.array([stain.eosin for stain in stains])
    assert haematoxylin.std(axis=0).min() > 0.05
    assert (haematoxylin[:, 0] > eosin[:, 0]).mean() > 0.95
    assert min(stain.background.min() for stain in stains) > 180


def test_noise_has_zero_mean_unit_deviation_and_the_grain_asked_for() -> None:
    rng = np.random.default_rng(0)
    for noise, grain in ((smooth_noise(rng, (300, 400), 20), 20), (texture(rng, (300, 400), 6), 6)):
        assert noise.shape == (300, 400)
        assert noise.mean() == pytest.approx(0, abs=0.2)
        assert noise.std() == pytest.approx(1, abs=0.25)
        near, far = (np.corrcoef(noise[:, lag:].ravel(), noise[:, :-lag].ravel())[0, 1] for lag in (1, 2 * grain))
        assert near > 0.8
        assert abs(far) < 0.3


def test_the_noise_tile_repeats_without_a_seam() -> None:
    position = np.linspace(-3, 3, 50, dtype=np.float32)
    np.testing.assert_allclose(sample(position, position), sample(position + 512, position - 512), atol=1e-3)
    steps = np.abs(np.diff(sample(np.zeros(200, np.float32), np.linspace(-1, 1, 200, dtype=np.float32))))
    assert steps.max() < 0.2
