"""The fixed ways of looking at an image, by name; `lobule.features.views` says what they do."""

from __future__ import annotations

from typing import Literal

__all__ = ["ViewName"]

ViewName = Literal[
    "identity",
    "flip_horizontal",
    "flip_vertical",
    "rotate_90",
    "rotate_180",
    "rotate_270",
    "transpose",
    "transverse",
    "crop_centre",
    "crop_top_left",
    "crop_top_right",
    "crop_bottom_left",
    "crop_bottom_right",
]
