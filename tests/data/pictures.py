"""Small image files of every kind, made where a test needs them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (12, 10)


def pixels(seed: int = 0, *, width: int = SIZE[0], height: int = SIZE[1]) -> NDArray[np.uint8]:
    """Return (height, width, 3) random RGB."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def tissue(seed: int = 0, *, width: int = 140, height: int = 92) -> NDArray[np.uint8]:
    """Return (height, width, 3) RGB blobs: unlike noise, they survive encoding and resizing."""
    blobs = np.random.default_rng(seed).integers(0, 256, (11, 17, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blobs).resize((width, height), Image.Resampling.BICUBIC))


def encoded(image: Image.Image | NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """Return the bytes of an image file."""
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **options)
    return stream.getvalue()


def png_of(width: int, height: int, *, depth: int, colour: int, rows: bytes) -> bytes:
    """Return a PNG made by hand, for what Pillow does not write; `rows` may be cut short."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def put(path: Path, content: bytes | None = None, *, seed: int = 0) -> Path:
    """Write a file with its folders; without content a random PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels(seed)) if content is None else content)
    return path
