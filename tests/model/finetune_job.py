"""A small fine-tuning: twelve painted images, two blocks of VGG16 at 32 pixels; also run as a process to be killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from lobule.config import Config, load_config
from lobule.features.backbones import BACKBONES, Backbone
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.model.finetune import Examples, Finetuned, FinetunePlan, finetune_once
from lobule.model.head import Head
from lobule.model.image_source import open_images
from lobule.model.plan import Fit
from lobule.taxonomy import Task
from tests.model.heads import random_head

COUNT = 12
SIZE = 32
CHANNELS = 128
TINY = replace(
    BACKBONES["vgg16"],
    name="tiny_vgg",
    layers={"block1_pool": 64, "block2_pool": CHANNELS},
    blocks=(("block1_",), ("block2_",)),
    truncated=True,
    input_size=SIZE,
)
VALIDATION = np.arange(COUNT) % 3 == 0


@contextmanager
def tiny_backbone() -> Iterator[None]:
    """Let the registry know the tiny backbone for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast(dict[str, Backbone], BACKBONES), TINY.name, TINY)
        yield


def paint(folder: Path) -> None:
    """Write images of two colours with noise."""
    generator = np.random.default_rng(0)
    for index in range(COUNT):
        colour = np.array([200, 120, 180]) if index % 2 else np.array([120, 80, 160])
        pixels = np.clip(colour + generator.normal(0, 25, (60, 80, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"image-{index:02d}.png")


def config_of(seed: int = 0) -> Config:
    return load_config(
        settings={
            "seed": seed,
            "features": {"backbone": TINY.name, "weights": "none"},
            "finetune": {"blocks": 1, "learning_rate": 1e-4, "batch_size": 3},
            "head": {"hidden": 8},
        }
    )


def plan_of(seed: int = 0, epochs: int = 3) -> FinetunePlan:
    config = config_of(seed)
    encoder: EncoderSpec = encoder_spec(config.features, seed=0)
    return FinetunePlan(encoder, config, epochs=epochs, first_epoch=41)


def heads_of() -> dict[Task, Head]:
    return {
        "binary": random_head("binary", features=CHANNELS, hidden=8),
        "subtype": random_head("subtype", features=CHANNELS, hidden=8),
    }


def fit_of() -> Fit:
    return Fit("holdout", -1, ~VALIDATION, VALIDATION)


def examples_of(images: Path) -> Examples:
    subtype = np.arange(COUNT) % 8
    subtype[1] = -1
    targets: Mapping[Task, np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = {
        "binary": np.arange(COUNT) % 2,
        "subtype": subtype,
    }
    cases = np.array([f"case-{index // 2}" for index in range(COUNT)])
    return Examples(open_images(sorted(images.glob("*.png")), size=SIZE), targets, cases)


def run(images: Path, folder: Path, *, seed: int = 0, epochs: int = 3, fit: Fit | None = None) -> Finetuned:
    def linger(stage: str, done: int, total: int) -> None:
        if os.environ.get("LOBULE_TEST_LINGER"):
            time.sleep(30)

    return finetune_once(
        examples_of(images),
        fit or fit_of(),
        heads=heads_of(),
        plan=plan_of(seed, epochs),
        folder=folder,
        progress=linger,
    )


if __name__ == "__main__":
    with tiny_backbone():
        run(Path(sys.argv[1]), Path(sys.argv[2]))
