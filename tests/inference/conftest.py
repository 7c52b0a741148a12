"""A tiny model and images without a meaning, for the tests of inference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lobule.inference.predictor import Predictor
from tests.model.tiny_bundle import write_tiny_bundle


def noise(seed: int, *, height: int = 46, width: int = 70) -> NDArray[np.uint8]:
    """Return coloured noise with a gradient, (height, width, 3)."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3)) * np.linspace(0.2, 1, width)[:, None]
    return image.astype(np.uint8)


def write_images(folder: Path, count: int, *, suffix: str = ".png") -> list[Path]:
    """Write images `0.png`, `1.png`, ... and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03d}{suffix}" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(noise(number)).save(path)
    return paths


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("run") / "model")


@pytest.fixture(scope="session")
def predictor(bundle_folder: Path) -> Predictor:
    return Predictor(bundle_folder)
