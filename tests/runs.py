"""Quick runs: their settings, how to compare them, and data sets of a user's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from lobule.config import load_config
from lobule.controls.rivals import RIVALS
from tests.tiny_backbone import SETTINGS

QUICK = load_config(
    settings={
        "features": SETTINGS,
        "data": {"folds": 2},
        "head": {"hidden": 8, "max_epochs": 3},
        "report": {"bootstrap": 20, "gallery": 2},
    }
)
DECIDED = (
    "manifest.csv",
    "audit.json",
    "split.json",
    "history.csv",
    "predictions.csv",
    "metrics.json",
    "model/heads.safetensors",
    "model/calibration.json",
    "model/novelty.safetensors",
    *(f"controls/{name}.csv" for name in RIVALS),
)
"""Files of a run folder that carry no time: the same data, settings and seed give the same bytes."""


def content_of(run: Path) -> dict[str, bytes]:
    """Return the files of a run folder that must not differ between runs."""
    return {name: (run / name).read_bytes() for name in DECIDED}


def litter_in(run: Path) -> list[Path]:
    """Return what a killed write leaves."""
    return sorted([*run.rglob(".*.tmp"), *run.rglob(".model.*")])


def paint(path: Path, seed: int, *, colour: tuple[int, int, int] = (200, 130, 180)) -> None:
    """Write a noisy image of one colour."""
    noise = np.random.default_rng(seed).normal(0, 25, (48, 64, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(path)


def write_own_folder(folder: Path, *, each: int = 4) -> Path:
    """Write a user's own data set: two class folders, no subtype, no case; file names carry a case all the same."""
    for seed, label, colour in ((0, "benign", (210, 150, 190)), (1000, "malignant", (150, 90, 160))):
        for number in range(each):
            paint(folder / label / f"case{label[0]}{number // 2}-{number}.png", seed + number, colour=colour)
    return folder


def copy_of(folder: Path, to: Path) -> Path:
    """Return a copy of a data set that may be changed."""
    shutil.copytree(folder, to)
    return to
