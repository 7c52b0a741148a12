from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lobule.data import images
from lobule.data.images import decode, inspect
from tests.data.pictures import encoded, pixels


def traits(content: bytes) -> dict[str, str]:
    return inspect(content)[1]


def png_with(**entries: str) -> bytes:
    text = PngImagePlugin.PngInfo()
    for name, value in entries.items():
        text.add_text(name, value)
    return encoded(pixels(), pnginfo=text)


def behind_the_pixels(name: bytes, value: bytes) -> bytes:
    """Return a PNG whose text stands behind its pixels, as ImageMagick writes it."""
    import struct
    import zlib

    data = name + b"\0" + value
    chunk = struct.pack(">I", len(data)) + b"tEXt" + data + struct.pack(">I", zlib.crc32(b"tEXt" + data))
    plain = encoded(pixels())
    return plain[:-12] + chunk + plain[-12:]


def test_names_are_shown_and_values_are_hashed() -> None:
    found = traits(png_with(Author="A. Pathologist"))
    assert found["entries"] == "entry Author"
    assert found["pixel mode"] == "RGB"
    assert "Pathologist" not in str(found)
    assert found["entry Author"] != traits(png_with(Author="somebody else"))["entry Author"]


def test_of_a_date_only_the_day_counts() -> None:
    def day(text: bytes) -> str:
        return traits(behind_the_pixels(b"date:create", text))["entry date:create"]

    assert day(b"2014-12-14T11:57:09-02:00") == day(b"2014-12-14T12:11:36-02:00")
    assert day(b"2014-12-14T11:57:09-02:00") != day(b"2014-12-15T11:57:09-02:00")


def test_resolution_exif_and_jpeg_quality() -> None:
    exif = Image.Exif()
    exif[0x0131] = "a program"
    low, high = (
        traits(encoded(pixels(), "JPEG", quality=quality, dpi=(72, 72), exif=exif.tobytes())) for quality in (50, 90)
    )
    assert {"entry dpi", "EXIF Software", "JPEG quality"} <= low.keys()
    assert low["EXIF Software"] == high["EXIF Software"]
    assert low["JPEG quality"] != high["JPEG quality"]
    assert "entry exif" not in low


@pytest.mark.parametrize("content", [png_with(Author="x"), encoded(pixels(), "JPEG"), encoded(pixels(), "WEBP")])
def test_the_pixels_are_those_of_decode(content: bytes) -> None:
    assert np.array_equal(inspect(content)[0], decode(content))


def test_metadata_that_cannot_be_read_is_a_trait_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(image: Any) -> dict[str, str]:
        raise ValueError(image)

    monkeypatch.setattr(images, "traits_of", fail)
    assert traits(encoded(pixels())) == {"entries": "not readable"}


def test_a_file_without_metadata_has_no_entries() -> None:
    stream = io.BytesIO()
    Image.fromarray(pixels()).save(stream, "PNG")
    assert traits(stream.getvalue()) == {"pixel mode": "RGB", "entries": ""}
