from __future__ import annotations

import json
from pathlib import Path

import pytest

from lobule.data.images import DECODER
from lobule.data.pixel_cache import PixelCache, Pixels, Stamp
from lobule.provenance import cache_folder

STAMP, PIXELS = Stamp(10, 20), Pixels("0" * 64, 3, 4)


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


ENTRY = [10, 20, "0" * 64, 3, 4]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b'{"decoder": "0", "files": {"a.png": [10, 20, "%s", 3, 4]}}' % (b"0" * 64),
        json.dumps({"decoder": DECODER, "files": [ENTRY]}).encode(),
        json.dumps({"decoder": DECODER, "files": {"a.png": ENTRY[:4]}}).encode(),
        json.dumps({"decoder": DECODER, "files": {"a.png": [10, 20, None, 3, 4]}}).encode(),
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
