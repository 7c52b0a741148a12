from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lobule.data.layouts import Classes
from lobule.data.sources import list_folder, list_names
from lobule.errors import DataError
from tests.data.pictures import put

NAME = "SOB_B_A-14-22549AB-100-001.png"


def paths(folder: Path) -> list[str]:
    return [item.path for item in list_folder(folder, classes=Classes({})).descriptions]


def test_only_visible_images_count(tmp_path: Path) -> None:
    for name in ("1.png", "2.JPG", "._1.png", ".hidden.png", "notes.txt", "Thumbs.db"):
        put(tmp_path / "benign" / name, b"x")
    put(tmp_path / ".git" / "benign" / "3.png", b"x")
    put(tmp_path / "__MACOSX" / "benign" / "4.png", b"x")
    put(tmp_path / "masks" / NAME, b"x")
    listing = list_folder(tmp_path, classes=Classes({}))
    assert [item.path for item in listing.descriptions] == ["benign/1.png", "benign/2.JPG"]
    assert listing.ignored == 4
    assert not listing.failures


def test_an_image_without_class_fails_alone(tmp_path: Path) -> None:
    put(tmp_path / "benign" / "1.png", b"x")
    put(tmp_path / "stray.png", b"x")
    listing = list_folder(tmp_path, classes=Classes({}))
    assert [failure.path for failure in listing.failures] == ["stray.png"]


def test_a_folder_may_be_called_like_an_image(tmp_path: Path) -> None:
    put(tmp_path / "benign" / "x.png" / "1.png", b"x")
    assert paths(tmp_path) == ["benign/x.png/1.png"]


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "1.png", b"x")
    (tmp_path / "data" / "malignant").mkdir(parents=True)
    (tmp_path / "data" / "malignant" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "malignant" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "malignant" / "loop").symlink_to(tmp_path / "data")
    assert paths(tmp_path / "data") == ["malignant/again/1.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_a_name_that_is_no_text_fails_alone(tmp_path: Path) -> None:
    put(tmp_path / "benign" / "1.png", b"x")
    (Path(os.fsdecode(os.fsencode(tmp_path / "benign") + b"/\xff.png"))).write_bytes(b"x")
    (failure,) = list_folder(tmp_path, classes=Classes({})).failures
    assert "not valid UTF-8" in failure.reason
    assert failure.path.encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_an_unreadable_folder_is_a_failure(tmp_path: Path) -> None:
    put(tmp_path / "benign" / "1.png", b"x")
    (tmp_path / "malignant").mkdir(mode=0)
    (failure,) = list_folder(tmp_path, classes=Classes({})).failures
    assert failure.path == "malignant"


def test_names_are_listed_without_files(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text(f"{NAME}\n\n40X/{NAME}\nfoo.png\n{NAME}\r\n", encoding="utf-8")
    listing = list_names(names)
    assert [item.path for item in listing.descriptions] == [NAME, f"40X/{NAME}"]
    assert [failure.path for failure in listing.failures] == ["foo.png", NAME]
    assert not listing.has_pixels


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "names.txt", b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="one a line"):
        list_names(tmp_path / "names.txt")
