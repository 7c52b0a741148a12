from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lobule.data.images import decode, pixel_sha256
from lobule.errors import ImageError
from tests.data.pictures import encoded, pixels, png_of, put

PICTURE = pixels()
GREY = PICTURE[..., 0]
GREY_RGB = np.repeat(GREY[..., None], 3, axis=2)
SIXTEEN = (GREY.astype(np.uint16) << 8) + 7
EXIF = Image.Exif()
EXIF[0x0112] = 6


def rows_of_16_bit_rgb() -> bytes:
    wide = (PICTURE.astype(np.uint16) << 8) + 200
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)


EXACT: dict[str, tuple[bytes, NDArray[np.uint8]]] = {
    "rgb.png": (encoded(PICTURE), PICTURE),
    "rgb.bmp": (encoded(PICTURE, "BMP"), PICTURE),
    "rgb.tif": (encoded(PICTURE, "TIFF", compression="tiff_lzw"), PICTURE),
    "rgb.webp": (encoded(PICTURE, "WEBP", lossless=True), PICTURE),
    "grey.png": (encoded(GREY), GREY_RGB),
    "grey_16.png": (encoded(SIXTEEN), GREY_RGB),
    "grey_16.tif": (encoded(SIXTEEN, "TIFF"), GREY_RGB),
    "rgb_16.png": (png_of(12, 10, depth=16, colour=2, rows=rows_of_16_bit_rgb()), PICTURE),
    "bit.png": (encoded(Image.fromarray(GREY > 127)), np.where(GREY_RGB > 127, 255, 0).astype(np.uint8)),
    "cmyk.tif": (encoded(Image.fromarray(PICTURE).convert("CMYK"), "TIFF"), PICTURE),
    "turned.png": (encoded(PICTURE, exif=EXIF), np.rot90(PICTURE, -1)),
    "turned.tif": (encoded(PICTURE, "TIFF", exif=EXIF), np.rot90(PICTURE, -1)),
    "opaque.png": (encoded(Image.fromarray(PICTURE).convert("RGBA")), PICTURE),
}


@pytest.mark.parametrize("name", EXACT)
def test_pixels_come_out_exactly(name: str, tmp_path: Path) -> None:
    content, expected = EXACT[name]
    image = decode(put(tmp_path / name, content))
    np.testing.assert_array_equal(image, expected)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(decode(content), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(mode: str) -> None:
    picture = Image.fromarray(PICTURE).convert(mode)
    picture.putalpha(Image.new("L", picture.size, 0))
    assert (decode(encoded(picture)) == 255).all()


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    black = np.zeros((4, 4, 4), dtype=np.uint8)
    black[..., 3] = 128
    assert np.abs(decode(encoded(black)).astype(int) - 127).max() <= 1


def test_a_transparent_colour_is_white() -> None:
    transparent = tuple(int(value) for value in PICTURE[0, 0])
    image = decode(encoded(PICTURE, transparency=transparent))
    assert image[0, 0].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(image[1], PICTURE[1])


def test_a_palette_becomes_its_colours() -> None:
    palette = Image.fromarray(PICTURE).quantize(16)
    np.testing.assert_array_equal(decode(encoded(palette)), np.array(palette.convert("RGB")))
    np.testing.assert_array_equal(decode(encoded(palette, "GIF")), np.array(palette.convert("RGB")))


def test_cmyk_jpegs_become_rgb() -> None:
    flat = np.full((16, 16, 3), (200, 120, 160), dtype=np.uint8)
    image = decode(encoded(Image.fromarray(flat).convert("CMYK"), "JPEG", quality=95))
    assert np.abs(image.astype(int) - flat).max() < 6


def test_exif_turns_a_jpeg() -> None:
    assert decode(encoded(PICTURE, "JPEG", exif=EXIF)).shape == (12, 10, 3)


def test_a_wrong_extension_does_not_matter(tmp_path: Path) -> None:
    content = encoded(PICTURE, "JPEG")
    np.testing.assert_array_equal(decode(put(tmp_path / "really.png", content)), decode(content))


def test_the_first_picture_of_a_camera_is_taken() -> None:
    other = Image.fromarray(255 - PICTURE)
    several = encoded(PICTURE, "MPO", save_all=True, append_images=[other], quality=95)
    np.testing.assert_array_equal(decode(several), decode(encoded(PICTURE, "JPEG", quality=95)))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_several_frames_are_refused(kind: str) -> None:
    content = encoded(PICTURE, kind, save_all=True, append_images=[Image.fromarray(255 - PICTURE)])
    with pytest.raises(ImageError, match="holds 2 frames or pages"):
        decode(content)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_a_truncated_file_is_refused(kind: str) -> None:
    content = encoded(pixels(width=64, height=64), kind)
    with pytest.raises(ImageError):
        decode(content[: len(content) // 2])


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty.png": (b"", "empty"),
    "text.png": (b"not an image at all\n" * 20, "not an image in a known format"),
    "header_only.png": (encoded(PICTURE)[:8], "not an image in a known format"),
    "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image in a known format"),
    "int32.tif": (encoded(GREY.astype(np.int32), "TIFF"), "no defined range"),
    "float.tif": (encoded(GREY.astype(np.float32), "TIFF"), "no defined range"),
    "lab.tif": (encoded(Image.fromarray(PICTURE).convert("LAB"), "TIFF"), "no defined range"),
    "large.png": (png_of(10_000, 9_000, depth=8, colour=0, rows=b""), "more than 89,478,485 pixels"),
    "bomb.png": (png_of(60_000, 60_000, depth=8, colour=0, rows=b""), "more than 89,478,485 pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_unusable_file_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    content, reason = REFUSED[name]
    path = put(tmp_path / name, content)
    with pytest.raises(ImageError, match=reason) as caught:
        decode(path)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_large_image_is_refused_where_warnings_are_no_errors() -> None:
    with pytest.raises(ImageError, match="more than"):
        decode(REFUSED["large.png"][0])


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match="not a regular file"):
        decode(tmp_path / "folder.png")
    with pytest.raises(ImageError, match="no such file"):
        decode(tmp_path / "missing.png")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError):
        decode(tmp_path / "pipe.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "secret.png").chmod(0)
    with pytest.raises(ImageError, match="permission denied"):
        decode(tmp_path / "secret.png")


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["BMP", "GIF", "JPEG", "PNG", "WEBP"]),
    cut=st.integers(0, 600),
    changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4),
)
def test_a_damaged_file_is_decoded_or_refused_never_worse(kind: str, cut: int, changes: list[tuple[int, int]]) -> None:
    content = bytearray(encoded(PICTURE, kind))
    for position, value in changes:
        content[position % len(content)] = value
    damaged = bytes(content[: max(1, len(content) - cut)]) if cut < 300 else bytes(content)
    with suppress(ImageError):
        assert decode(damaged).shape[2:] == (3,)


def test_the_digest_is_of_pixels_and_shape_alone() -> None:
    plain, described = encoded(PICTURE), encoded(PICTURE, dpi=(300, 300))
    assert plain != described
    assert pixel_sha256(decode(plain)) == pixel_sha256(decode(described)) == pixel_sha256(PICTURE)
    assert pixel_sha256(PICTURE) == pixel_sha256(np.asfortranarray(PICTURE))
    assert pixel_sha256(PICTURE.reshape(12, 10, 3)) != pixel_sha256(PICTURE)
    changed = PICTURE.copy()
    changed[3, 4, 1] ^= 1
    assert pixel_sha256(changed) != pixel_sha256(PICTURE)
