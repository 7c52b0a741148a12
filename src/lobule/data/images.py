"""Safe decoding: a file becomes RGB pixels by one defined rule, or is refused with a reason.

| file | outcome |
|---|---|
| 8-bit RGB, grey, black and white, palette, CMYK, YCbCr | converted to RGB by Pillow, colour profiles not applied |
| alpha or a transparent colour | laid over white |
| 16 bits a channel | the upper 8 bits |
| EXIF orientation | applied |
| wrong extension | decoded by content |
| several frames (GIF, WebP, APNG, TIFF) | refused: which one is meant is not known |
| several pictures of a camera (MPO) | the first, which is what every viewer shows |
| 32-bit or floating point, LAB | refused: no defined range |
| more pixels than Pillow's bomb guard warns at (about 89 million) | refused before decoding |
| truncated, empty, not an image, not readable | refused |

Metadata never reaches the pixels: what comes out is height, width and colour alone. `inspect` hands out the traits of
the file beside them, for the audit.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from lobule.data.traits import traits_of
from lobule.errors import ImageError

__all__ = ["DECODER", "decode", "inspect", "pixel_sha256"]

_T = TypeVar("_T")

DECODER = f"1 pillow {PIL.__version__}"
"""What decides the pixels of a file: this module's rules and the decoders. A digest is comparable within one."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "CMYK", "YCbCr"})
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_DECODER_ERRORS = (
    OSError,
    SyntaxError,  # how Pillow reports a broken PNG chunk
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
    Warning,  # where the user turned warnings into errors
)


def decode(source: Path | bytes, *, max_pixels: int | None = None) -> NDArray[np.uint8]:
    """Decode one image.

    Args:
        source: a file, or the bytes of one.
        max_pixels: most pixels, where less is wanted than the bomb guard allows; more are refused before decoding.

    Returns:
        (height, width, 3) RGB, 0..255.

    Raises:
        ImageError: the source cannot be used; the message is the reason, without the path.
    """
    return _decoded(source, lambda _: None, max_pixels=max_pixels)[0]


def inspect(source: Path | bytes) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Decode one image as `decode` does, and describe its file by everything but the pixels.

    Returns:
        The pixels, and the traits of the file as from `traits_of`; entries that cannot be read are one trait.

    Raises:
        ImageError: as `decode`.
    """
    return _decoded(source, _readable_traits)


def pixel_sha256(image: NDArray[np.uint8]) -> str:
    """Return the SHA-256 over shape and pixels of an image, in hexadecimal.

    Args:
        image: (height, width, 3) RGB, as `decode` returns it.
    """
    digest = hashlib.sha256("x".join(map(str, image.shape)).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _decoded(
    source: Path | bytes, describe: Callable[[Image.Image], _T], *, max_pixels: int | None = None
) -> tuple[NDArray[np.uint8], _T]:
    try:
        before = _version(source)
        with Image.open(_opened(source), formats=_FORMATS) as image:
            _refuse_unusable(image, max_pixels)
            pixels = np.array(_as_rgb(_upright(image)), dtype=np.uint8)
            described = describe(image)
        if _version(source) != before:
            raise ImageError("changed while it was read: wait until it is whole, then repeat")
        return pixels, described
    except UnidentifiedImageError:
        raise ImageError(f"not an image in a known format ({', '.join(_FORMATS)})") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(_too_large(Image.MAX_IMAGE_PIXELS)) from None
    except _DECODER_ERRORS as error:
        raise ImageError(f"cannot be decoded: {_reason(error)}") from None


def _readable_traits(image: Image.Image) -> dict[str, str]:
    try:
        return traits_of(image)
    except _DECODER_ERRORS:
        return {"entries": "not readable"}


def _version(source: Path | bytes) -> tuple[int, ...]:
    """Return what another content of a file would change; some formats show no trace of a mixture."""
    if isinstance(source, bytes):
        return ()
    status = source.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _opened(source: Path | bytes) -> Path | io.BytesIO:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if isinstance(source, Path) and not source.is_file():
        raise ImageError("not a regular file")
    if not size:
        raise ImageError("the file is empty (0 bytes)")
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _refuse_unusable(image: Image.Image, max_pixels: int | None) -> None:
    for limit in (max_pixels, Image.MAX_IMAGE_PIXELS):
        if limit is not None and image.width * image.height > limit:
            raise ImageError(_too_large(limit))
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise ImageError(f"holds {frames} frames or pages where one is expected: save the one that is meant by itself")


def _too_large(limit: int | None) -> str:
    return f"more than {limit:,} pixels, the limit for one image: cut it into patches"


def _upright(image: Image.Image) -> Image.Image:
    """Return the image as a camera meant it; most need no turning, and then no copy."""
    image.load()
    if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
        return image
    return ImageOps.exif_transpose(image)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in _ALPHA_MODES or image.has_transparency_data:
        return _over_white(image)
    if image.mode in _PLAIN_MODES:
        return image if image.mode == "RGB" else image.convert("RGB")
    raise ImageError(f"pixels of mode {image.mode} have no defined range: save it as 8-bit RGB")


def _over_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
