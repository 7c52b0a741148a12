"""The tiny backbone with a cache of the test's own, and images of noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lobule.config import FeatureSettings
from lobule.data.images import decode, pixel_sha256
from lobule.data.manifest import Manifest
from lobule.features.backbones import BACKBONES
from lobule.features.spec import EncoderSpec, encoder_spec
from tests.tiny_backbone import SETTINGS, TINY, install_tiny_graph


@pytest.fixture
def tiny_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FeatureSettings:
    """Return settings of the tiny backbone, with a cache of the test's own that holds its graph."""
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(BACKBONES, TINY.name, TINY)
    install_tiny_graph()
    return FeatureSettings.model_validate(SETTINGS)


@pytest.fixture
def tiny_spec(tiny_settings: FeatureSettings) -> EncoderSpec:
    return encoder_spec(tiny_settings, seed=0)


@pytest.fixture
def manifest_of(tmp_path: Path) -> Callable[[int], Manifest]:
    """Return a function that writes images of noise (the last one equal to the first) and describes them."""

    def make(count: int) -> Manifest:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        rows = []
        for number in range(count):
            path, seed = folder / f"{number:03d}.png", number % max(1, count - 1)
            Image.fromarray(noise(40 + seed % 5, 50, seed=seed)).save(path)
            pixels = decode(path)
            rows.append(
                {
                    "image_id": path.stem,
                    "path": path.name,
                    "pixel_sha256": pixel_sha256(pixels),
                    "width": pixels.shape[1],
                    "height": pixels.shape[0],
                    "label": "benign",
                    "patient_id": path.stem,
                    "case_id": path.stem,
                }
            )
        return Manifest.from_rows(rows, root=folder)

    return make


def noise(height: int, width: int, *, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
