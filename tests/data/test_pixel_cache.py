from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lobule.data.images import DECODER
from lobule.data.pixel_cache import PixelCache, Pixels, Stamp
from lobule.data.thumbnails import SIDE, THUMBNAIL
from lobule.provenance import cache_folder

STAMP, PIXELS = Stamp(10, 20), Pixels("0" * 64, 3, 4, bytes(SIDE * SIDE), {"pixel mode": "RGB"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the cache file of `tmp_path`, which knows a.png."""
    before = set(cache_folder().glob("pixels/*"))
    cache = PixelCache(tmp_path)
    cache.add("a.png", STAMP, PIXELS)
    cache.save()
    (file,) = set(cache_folder().glob("pixels/*")) - before
    return file


def test_only_an_unchanged_file_is_found(file: Path, tmp_path: Path) -> None:
    cache = PixelCache(tmp_path)
    assert cache.find("a.png", STAMP) == PIXELS
    assert cache.find("a.png", Stamp(10, 21)) is None
    assert cache.find("a.png", Stamp(11, 20)) is None
    assert cache.find("b.png", STAMP) is None
    assert PixelCache(tmp_path / "other").find("a.png", STAMP) is None


THUMBNAIL_TEXT = base64.b64encode(bytes(SIDE * SIDE)).decode()
ENTRY = [10, 20, "0" * 64, 3, 4, THUMBNAIL_TEXT, {}]


def document(entry: list[Any]) -> bytes:
    """Return a cache file that is sound but for its entry."""
    return json.dumps({"rules": f"{DECODER} thumbnail {THUMBNAIL}", "files": {"a.png": entry}}).encode()


def test_the_document_of_these_tests_is_what_is_read(file: Path, tmp_path: Path) -> None:
    file.write_bytes(document(ENTRY))
    assert PixelCache(tmp_path).find("a.png", STAMP) == Pixels("0" * 64, 3, 4, bytes(SIDE * SIDE))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[]",
        document(ENTRY).replace(b"thumbnail", b"other"),
        json.dumps({"rules": f"{DECODER} thumbnail {THUMBNAIL}", "files": [ENTRY]}).encode(),
        document(ENTRY[:5]),
        document([10, 20, None, *ENTRY[3:]]),
        document([*ENTRY[:5], THUMBNAIL_TEXT[4:], {}]),
        document([*ENTRY[:5], "!" + THUMBNAIL_TEXT[1:], {}]),
        document([*ENTRY[:6], {"pixel mode": []}]),
        b"[" * 100_000,
    ],
)
def test_a_damaged_or_old_cache_is_ignored_and_replaced(file: Path, tmp_path: Path, content: bytes) -> None:
    file.write_bytes(content)
    cache = PixelCache(tmp_path)
    assert cache.find("a.png", STAMP) is None
    cache.add("a.png", STAMP, PIXELS)
    cache.save()
    assert PixelCache(tmp_path).find("a.png", STAMP) == PIXELS


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "file"))
    cache = PixelCache(tmp_path)
    cache.add("a.png", STAMP, PIXELS)
    cache.save()
    assert cache.find("a.png", STAMP) == PIXELS
