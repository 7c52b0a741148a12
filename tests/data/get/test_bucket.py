"""Images below an address, fetched into a folder that is whole or not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lobule.data.get import get_data
from lobule.data.get.source import SourceKind, parse_source
from lobule.data.scan import scan
from lobule.errors import ConfigError, DataError


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Any]:
    """Return a bucket in memory with six images in two classes, and what is none."""
    import fsspec

    files = fsspec.filesystem("memory")
    files.store.clear()
    for number in range(6):
        path = tmp_path / "one.png"
        Image.fromarray(np.full((8, 8, 3), 30 * number, np.uint8)).save(path)
        files.pipe_file(f"/store/own/{('benign', 'malignant')[number % 2]}/p{number}.png", path.read_bytes())
        path.unlink()
    files.pipe_file("/store/own/notes.txt", b"x")
    files.pipe_file("/store/own/.hidden/a.png", b"x")
    yield files
    files.store.clear()


def test_images_come_in_their_folders_and_a_second_call_has_nothing_to_do(bucket: Any, tmp_path: Path) -> None:
    got = get_data("memory://store/own", tmp_path / "own", expect=6)
    assert (got.n_files, got.n_images, got.was_done) == (6, 6, False)
    images = sorted(path.relative_to(got.folder).as_posix() for path in got.folder.rglob("*.png"))
    assert images == sorted(f"{('benign', 'malignant')[n % 2]}/p{n}.png" for n in range(6))
    for name in images:
        assert (got.folder / name).read_bytes() == bucket.cat_file(f"/store/own/{name}")
    assert get_data("memory://store/own", tmp_path / "own").was_done


def test_what_failed_is_fetched_by_the_next_call_and_the_rest_is_not(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    usual = type(bucket).cat_file

    def cat_file(files: Any, path: str, **options: Any) -> bytes:
        fetched.append(path)
        if path.endswith("p3.png") and len(fetched) <= 6:
            raise OSError("connection reset")
        return bytes(usual(files, path, **options))

    monkeypatch.setattr(type(bucket), "cat_file", cat_file)
    with pytest.raises(DataError, match=r"1 of 6 images could not be had, e\.g\. malignant/p3\.png: .*reset.*goes on"):
        get_data("memory://store/own", tmp_path / "own")
    assert not (tmp_path / "own").exists()
    assert get_data("memory://store/own", tmp_path / "own").n_images == 6
    assert len(fetched) == 7


def test_a_name_that_leads_out_of_the_folder_is_refused(bucket: Any, tmp_path: Path) -> None:
    bucket.store["/store/own/a\\..\\..\\evil.png"] = bucket.store["/store/own/benign/p0.png"]
    with pytest.raises(DataError, match="outside the folder; nothing was fetched"):
        get_data("memory://store/own", tmp_path / "deep" / "own")
    assert list(tmp_path.rglob("*.png")) == []


def test_a_place_without_images_or_a_driver_is_told(bucket: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no image below it"):
        get_data("memory://store/empty", tmp_path / "own")
    with pytest.raises(ConfigError, match="needs a driver that is not installed: pip install gcsfs"):
        get_data("gs://store/own", tmp_path / "own")


def test_a_password_is_not_written_down(bucket: Any, tmp_path: Path) -> None:
    source = parse_source("sftp://me:secret@host/images")
    assert (source.kind, source.public) == (SourceKind.BUCKET, "sftp://host/images")
    got = get_data("memory://store/own", tmp_path / "own")
    (record,) = (path for path in got.folder.iterdir() if path.suffix == ".json")
    assert json.loads(record.read_text())["source"] == "memory://store/own"


def test_what_reads_images_twice_names_the_way_to_have_them_here(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"s3://store/own: .*lobule data get s3://store/own --to FOLDER"):
        scan(Path("s3://store/own"))
