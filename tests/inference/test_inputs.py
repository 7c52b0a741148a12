from __future__ import annotations

import os
from pathlib import Path

import pytest

from lobule.errors import DataError
from lobule.inference.inputs import expand


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_means_its_images_in_the_order_of_their_paths(tmp_path: Path) -> None:
    _touch(
        tmp_path, "b/2.png", "a/1.JPG", "3.tif", "notes.txt", ".hidden.png", ".git/4.png", "__MACOSX/5.png", "6.webp"
    )
    inputs = expand([tmp_path])
    assert [image.path for image in inputs.images] == [
        f"{tmp_path.as_posix()}/{name}" for name in ("3.tif", "6.webp", "a/1.JPG", "b/2.png")
    ]
    assert [image.image_id for image in inputs.images] == ["3", "6", "1", "2"]
    assert inputs.failures == ()


def test_the_order_of_the_arguments_does_not_matter(tmp_path: Path) -> None:
    _touch(tmp_path, "a/1.png", "b/1.png", "c.png")
    paths = [tmp_path / "b", tmp_path / "c.png", tmp_path / "a"]
    assert expand(paths) == expand(paths[::-1])


def test_ids_are_the_shortest_that_are_unique(tmp_path: Path) -> None:
    _touch(tmp_path, "a/1.png", "b/1.png", "b/1.jpg", "b/2.png")
    assert [image.image_id for image in expand([tmp_path]).images] == ["a/1", "b/1.jpg", "b/1.png", "2"]
    across = [image.image_id for image in expand([tmp_path / "a", tmp_path / "b"]).images]
    assert len(set(across)) == 4


def test_a_file_that_is_meant_twice_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "a/1.png")
    monkeypatch.chdir(tmp_path)
    assert len(expand([tmp_path, tmp_path / "a", Path("a/1.png"), Path("./a"), Path("a/../a/1.png")]).images) == 1


def test_a_named_file_is_meant_whatever_it_is_called(tmp_path: Path) -> None:
    _touch(tmp_path, "scan", ".dot.png")
    assert len(expand([tmp_path / "scan", tmp_path / ".dot.png"]).images) == 2


def test_links_are_followed_but_not_for_ever(tmp_path: Path) -> None:
    _touch(tmp_path, "real/1.png")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "real")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    assert len(expand([tmp_path]).images) == 1
    assert len(expand([tmp_path / "linked"]).images) == 1


def test_what_is_missing_or_empty_is_a_failure_beside_the_rest(tmp_path: Path) -> None:
    _touch(tmp_path, "1.png", "empty/readme.txt")
    inputs = expand([tmp_path / "1.png", tmp_path / "gone.png", tmp_path / "empty"])
    assert len(inputs.images) == 1
    assert [(Path(item.path).name, item.reason) for item in inputs.failures] == [
        ("gone.png", "not found"),
        ("empty", "a folder without an image"),
    ]


def test_a_name_that_is_no_text_is_a_failure(tmp_path: Path) -> None:
    _touch(tmp_path, "1.png")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).touch()
    except OSError:
        pytest.skip("this file system allows UTF-8 names only")
    inputs = expand([tmp_path])
    assert len(inputs.images) == len(inputs.failures) == 1
    assert "rename it" in inputs.failures[0].reason


@pytest.mark.parametrize("names", [[], ["gone"], ["empty"]])
def test_nothing_to_predict_is_an_error(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="PATH"):
        expand([tmp_path / name for name in names])
