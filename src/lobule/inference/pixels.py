"""Whatever a caller holds in hand, as pixels."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lobule.data.images import decode
from lobule.errors import ImageError

__all__ = ["ImageInput", "as_list", "pixels_of"]

ImageInput: TypeAlias = Path | str | bytes | NDArray[np.uint8] | Image.Image
"""A file, the bytes of one, (height, width, 3) RGB 0..255 in numpy, or a Pillow image."""

_NOT_IN_PNG = frozenset({"CMYK", "YCbCr", "LAB", "HSV", "F", "La", "RGBa", "PA"})


def as_list(images: ImageInput | Iterable[ImageInput]) -> list[ImageInput]:
    """Return one image, or a collection of them, as a list."""
    if isinstance(images, Path | str | bytes | Image.Image):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim < 4:
        return [images]
    return list(images)


def pixels_of(source: ImageInput) -> NDArray[np.uint8]:
    """Return (height, width, 3) RGB, 0..255, by the one rule of `lobule.data.images`.

    Raises:
        ImageError: it cannot be used as an image; the message is the reason.
    """
    if isinstance(source, np.ndarray):
        return _checked(source)
    if isinstance(source, Image.Image):
        return _of_pillow(source)
    if isinstance(source, str):
        source = Path(source)
    if not isinstance(source, Path | bytes):
        raise ImageError(f"expected a path, bytes, a numpy array or a Pillow image, received {type(source).__name__}")
    return decode(source)


def _checked(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ImageError(
            f"expected an RGB array (height, width, 3) of uint8, received {array.shape} of {array.dtype}; "
            "scale to 0..255 and repeat grey three times"
        )
    return np.ascontiguousarray(array)


def _of_pillow(image: Image.Image) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "RGB" and not upright.has_transparency_data:
            return _checked(np.array(upright))
        if upright.mode in _NOT_IN_PNG:
            upright.save(stream, "TIFF")
        else:
            upright.save(stream, "PNG", compress_level=0)
    except (OSError, ValueError, KeyError) as error:
        raise ImageError(f"a Pillow image of mode {image.mode} cannot be read: {error}") from None
    return decode(stream.getvalue())
