"""Copies planted among images: what people do to a data set, whose traces an audit must find."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

__all__ = ["COPIES", "copy_with_plants"]

COPIES: dict[str, Callable[[Image.Image, Path], None]] = {
    "jpeg60": lambda image, stem: image.save(stem.with_suffix(".jpg"), quality=60),
    "jpeg95": lambda image, stem: image.save(stem.with_suffix(".jpg"), quality=95),
    "webp": lambda image, stem: image.save(stem.with_suffix(".webp"), quality=70),
    "half": lambda image, stem: image.resize((image.width // 2, image.height // 2)).save(stem.with_suffix(".png")),
    "squashed": lambda image, stem: image.resize((160, 160), Image.Resampling.BILINEAR).save(stem.with_suffix(".png")),
    "flipped": lambda image, stem: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(stem.with_suffix(".bmp")),
    "turned": lambda image, stem: image.transpose(Image.Transpose.ROTATE_90).save(stem.with_suffix(".jpg"), quality=80),
}
"""By name, each writes a copy to a path without its extension."""


def copy_with_plants(images: Sequence[Path], folder: Path, *, every: int) -> list[tuple[str, str]]:
    """Copy images to a folder, with a changed copy of every n-th under another case's name, every other one relabelled.

    Returns:
        The image ids of each image and its copy.
    """
    kinds = list(COPIES)
    planted = []
    for path in images:
        shutil.copy(path, folder / path.name)
    for number, path in enumerate(images[::every]):
        label, code = path.stem.split("-")[0].split("_")[1:]
        if number % 2:
            label, code = ("M", "DC") if label == "B" else ("B", "A")
        copy = folder / f"SOB_{label}_{code}-14-{90_000 + number}-200-001"
        with Image.open(path) as image:
            COPIES[kinds[number % len(kinds)]](image.convert("RGB"), copy)
        planted.append((path.stem, copy.name))
    return planted
