from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lobule.data.images import decode
from lobule.errors import ImageError
from lobule.inference.pixels import as_list, pixels_of
from tests.inference.conftest import noise


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_every_kind_of_input_gives_the_same_pixels(tmp_path: Path) -> None:
    array = noise(1)
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    for source in (path, str(path), path.read_bytes(), array, array[:, ::-1][:, ::-1], Image.open(path)):
        np.testing.assert_array_equal(pixels_of(source), array)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_a_pillow_image_is_read_as_the_file_of_it(mode: str) -> None:
    image = Image.fromarray(noise(2)).convert("RGBA" if mode in ("RGBA", "LA") else "L").convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(90)
    np.testing.assert_array_equal(pixels_of(image), decode(_png(image)))


def test_a_cmyk_image_and_a_turned_one() -> None:
    cmyk = Image.fromarray(noise(3)).convert("CMYK")
    np.testing.assert_array_equal(pixels_of(cmyk), np.asarray(cmyk.convert("RGB")))
    turned = Image.fromarray(noise(3))
    turned.getexif()[0x0112] = 6
    np.testing.assert_array_equal(pixels_of(turned), np.rot90(noise(3), -1))


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        Image.new("F", (4, 4)),
        b"",
        b"not an image",
        12,
        Path("nowhere.png"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(source: object) -> None:
    with pytest.raises(ImageError, match=r"."):
        pixels_of(source)  # type: ignore[arg-type]


def test_one_or_many() -> None:
    array = noise(0)
    for one in (array, "a.png", Path("a.png"), b"x", Image.fromarray(array)):
        assert as_list(one) == [one] if not isinstance(one, np.ndarray) else as_list(one)[0] is one
    assert len(as_list(np.stack([array, array]))) == 2
    assert as_list(name for name in "ab") == ["a", "b"]
    assert as_list([]) == []
