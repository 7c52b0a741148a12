from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lobule.data.remote import address_of, images_at, read_remote, written_whole
from lobule.errors import ConfigError, DataError, ImageError, MissingExtraError, StorageError


@pytest.fixture
def memory() -> Iterator[Any]:
    """Return an empty bucket in memory."""
    import fsspec

    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("s3://bucket/a b.png", "s3://bucket/a b.png"),
        (Path("s3://bucket/a.png"), "s3://bucket/a.png"),
        (Path("memory://x"), "memory://x"),
        ("images/a.png", None),
        ("C:/images", None),
        (Path("a:/b"), None),
        ("day: 1/x.png", None),
    ],
)
def test_what_is_an_address(path: str | Path, address: str | None) -> None:
    assert address_of(path) == address


def test_images_below_an_address_are_listed_like_those_of_a_folder(memory: Any) -> None:
    for name in ("b.png", "a/c.JPG", "a/notes.txt", ".hidden.png", ".git/x.png", "masks/b.png"):
        memory.pipe_file(f"/bucket/day/{name}", name.encode())
    found = images_at("memory://bucket/day")
    assert [(file.address, file.name, file.size) for file in found] == [
        ("memory://bucket/day/a/c.JPG", "a/c.JPG", 7),
        ("memory://bucket/day/b.png", "b.png", 5),
    ]
    (alone,) = images_at("memory://bucket/day/b.png")
    assert alone.name == "b.png"
    assert read_remote(alone.address) == b"b.png"
    memory.pipe_file("/bucket/day/b.png", b"other")
    assert images_at("memory://bucket/day/b.png")[0].version != alone.version
    assert images_at("memory://bucket/nowhere") == []
    with pytest.raises(ImageError, match="cannot be fetched"):
        read_remote("memory://bucket/gone.png")


def test_an_unknown_protocol_a_missing_driver_and_a_missing_library_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"nonsense://x.*s3://"):
        images_at("nonsense://x")
    real = builtins.__import__

    def without_s3fs(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] in ("s3fs", "gcsfs"):
            raise ImportError(name)
        return real(name, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without_s3fs)
        with pytest.raises(ConfigError, match=r"s3:// needs a driver that is not installed: pip install s3fs"):
            images_at("s3://bucket/x")
        with pytest.raises(ConfigError, match=r"gs:// needs a driver that is not installed: pip install gcsfs"):
            images_at("gs://bucket/x")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r'pip install "lobule\[data\]"'):
        images_at("s3://bucket/x")


def test_a_place_that_refuses_to_be_listed_is_an_error_with_advice(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("Access\nDenied")

    monkeypatch.setattr(type(memory), "find", refuse)
    with pytest.raises(DataError, match=r"memory://x: cannot be listed \(Access Denied\); Check the address"):
        images_at("memory://x")


def test_a_file_is_put_whole_at_the_end_or_not_at_all(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/bucket/failures.csv", b"old")
    with written_whole("memory://bucket/p.csv", beside=("failures.csv",)) as here:
        here.parent.mkdir(parents=True)
        here.write_text("new")
        assert not memory.exists("/bucket/p.csv")
    assert memory.cat_file("/bucket/p.csv") == b"new"
    assert not memory.exists("/bucket/failures.csv")
    assert not here.parent.exists()
    with written_whole("memory://bucket/p.csv", resume=True) as here:
        assert here.read_text() == "new"

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "put_file", refuse)
        with pytest.raises(StorageError, match=rf"no route to host\); the result lies in {here.parent}.*--resume"):
            _write("memory://bucket/p.csv", "newer")
    assert here.read_text() == "newer"
    assert memory.cat_file("/bucket/p.csv") == b"new"
    with written_whole("memory://bucket/p.csv", resume=True) as here:
        assert here.read_text() == "newer"
    assert memory.cat_file("/bucket/p.csv") == b"newer"


def test_what_cannot_be_fetched_to_resume_is_fetched_the_next_time(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe_file("/bucket/p.csv", b"old")

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no credentials")

    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "get_file", refuse)
        unread = pytest.raises(StorageError, match=r"p\.csv: what is there cannot be read \(.*no credentials")
        with unread, written_whole("memory://bucket/p.csv", resume=True):
            pass
    with written_whole("memory://bucket/p.csv", resume=True) as here:
        assert here.read_text() == "old"


def _write(address: str, content: str) -> None:
    with written_whole(address) as here:
        here.parent.mkdir(parents=True)
        here.write_text(content)


def test_where_a_place_knows_no_whole_objects_a_file_is_moved_into_place(tmp_path: Path) -> None:
    with written_whole(f"file://{tmp_path}/deep/p.csv") as here:
        here.parent.mkdir(parents=True)
        here.write_text("x")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["p.csv"]
