"""Heat maps as PNG files that say what they show."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from lobule.inference.heatmap import HeatMap, overlay
from lobule.provenance import write_atomically
from lobule.taxonomy import DISCLAIMER

__all__ = ["file_names", "overlay_bytes", "shows", "write_overlay"]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST: Final = 150


def file_names(image_ids: Sequence[str]) -> list[str]:
    """Return a file name without extension for each id, different on every file system.

    A digest is added to a name that had to be changed, or that differs from an earlier one in case alone.

    >>> file_names(["SOB_B_A-14-22549AB-40-001", "day 1/a"])
    ['SOB_B_A-14-22549AB-40-001', 'day_1_a-72712014']
    """
    names: list[str] = []
    taken: set[str] = set()
    for image_id in image_ids:
        name = _UNSAFE.sub("_", image_id).lstrip(".")[:_LONGEST]
        if name != image_id or name.casefold() in taken:
            name = f"{name}-{hashlib.sha256(image_id.encode()).hexdigest()[:8]}"
        while name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        names.append(name)
    return names


def write_overlay(path: Path, image: NDArray[np.uint8], heat_map: HeatMap, *, model_id: str, pixel_sha256: str) -> None:
    """Write the overlay of a heat map, atomically; see `overlay_bytes`."""
    write_atomically(path, overlay_bytes(image, heat_map, model_id=model_id, pixel_sha256=pixel_sha256))


def overlay_bytes(image: NDArray[np.uint8], heat_map: HeatMap, *, model_id: str, pixel_sha256: str) -> bytes:
    """Return the overlay of a heat map, coloured relative to its own peak, as a PNG file.

    Args:
        image: (H, W, 3) RGB.
        heat_map: of that image.
        model_id: of the model that was explained.
        pixel_sha256: digest of the image.
    """
    told = PngImagePlugin.PngInfo()
    told.add_text("Title", f"Grad-CAM: evidence for {heat_map.class_name}")
    told.add_text("Description", f"Strongest colour = this image's own peak, {heat_map.peak:.4g}. {DISCLAIMER}")
    told.add_text("Software", "Lobule")
    told.add_text("model_id", model_id)
    told.add_text("pixel_sha256", pixel_sha256)
    stream = io.BytesIO()
    Image.fromarray(overlay(image, heat_map)).save(stream, "PNG", pnginfo=told)
    return stream.getvalue()


def shows(path: Path, *, model_id: str, pixel_sha256: str) -> bool:
    """Tell whether a file is the overlay of that model and image."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return (image.info.get("model_id"), image.info.get("pixel_sha256")) == (model_id, pixel_sha256)
    except (OSError, SyntaxError, ValueError):
        return False
