from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lobule.data.get import archives as archives_module
from lobule.data.get import get_data, obtain
from lobule.data.get import source as source_module
from lobule.data.get.workplace import RECORD
from lobule.errors import ConfigError, DataError, StorageError
from lobule.provenance import digest_of_file
from tests.data.get.archives import HONEST, content_of, write_kind, write_special_tar, write_tar, write_zip
from tests.data.get.server import HASTY, Handler, Site, served
from tests.data.get.test_breakhis_archive import breakhis_names


def _data(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in content_of(folder).items() if name not in (RECORD, "CITATION.txt")}


def _hidden(folder: Path) -> list[Path]:
    return list(folder.glob(".*"))


@pytest.fixture(scope="module")
def all_of_breakhis(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    files = {f"BreaKHis_v1/histology_slides/{name}": b"pixels" for name in breakhis_names()}
    return write_tar(
        tmp_path_factory.mktemp("all") / "a.tar.gz", {**files, "BreaKHis_v1/README.txt": b"r"}
    ).read_bytes()


@pytest.mark.parametrize("kind", ["zip", "7z", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_of_this_machine_becomes_a_folder_and_stays(tmp_path: Path, kind: str) -> None:
    archive = write_kind(tmp_path, kind)
    got = get_data(str(archive), tmp_path / "deep" / "data")
    assert _data(tmp_path / "deep" / "data") == HONEST
    assert (got.folder, got.n_files, got.n_images, got.was_done, got.notes) == (
        tmp_path / "deep" / "data",
        3,
        2,
        False,
        (),
    )
    record = json.loads((got.folder / RECORD).read_text())
    assert (record["archive_sha256"], record["n_files"]) == (digest_of_file(archive), 3)
    assert _hidden(tmp_path / "deep") == []


def test_a_second_command_says_that_it_is_done_and_asks_nobody(tmp_path: Path) -> None:
    body = write_kind(tmp_path, "tar.gz").read_bytes()
    with served(Site(body)) as site:
        first = get_data(site.url, tmp_path / "data", patience=HASTY)
        again = get_data(site.url, tmp_path / "data", patience=HASTY)
        assert len(site.requests) == 1
    assert again == replace(first, was_done=True)


def test_files_that_have_gone_since_are_noticed(tmp_path: Path) -> None:
    archive = write_kind(tmp_path, "zip")
    get_data(str(archive), tmp_path / "data")
    (tmp_path / "data" / "empty.txt").unlink()
    with pytest.raises(DataError, match="1 of 3 files have gone"):
        get_data(str(archive), tmp_path / "data")


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    archive = write_kind(tmp_path, "zip")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.png").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="already holds other files"):
        get_data(str(archive), tmp_path / "data")
    assert _data(tmp_path / "data") == {"mine.png": b"mine"}
    get_data(str(archive), tmp_path / "other")
    second = write_kind(tmp_path / "other" / "images", "tar")
    with pytest.raises(ConfigError, match="already holds what came from"):
        get_data(str(second), tmp_path / "other")
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ConfigError):
        get_data(str(archive), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    get_data(str(write_kind(tmp_path, "zip")), tmp_path / "data")
    assert _data(tmp_path / "data") == HONEST


def test_below_a_file_nothing_can_be_put(tmp_path: Path) -> None:
    archive = write_kind(tmp_path, "zip")
    with pytest.raises(ConfigError, match="name another folder"):
        get_data(str(archive), archive / "data")


def test_a_hostile_archive_leaves_nothing(tmp_path: Path) -> None:
    import tarfile

    archive = write_special_tar(tmp_path / "evil.tar.gz", tarfile.SYMTYPE)
    with pytest.raises(DataError, match="link"):
        get_data(str(archive), tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert [path.name for folder in _hidden(tmp_path) for path in folder.rglob("*")] == ["lock"]
    assert archive.exists()


def test_a_download_that_is_no_sound_archive_is_fetched_anew(tmp_path: Path) -> None:
    body = write_kind(tmp_path, "tar.gz").read_bytes()

    def answer(handler: Handler) -> bool:
        if len(site.requests) > 1:
            return False
        handler.send(200, {}, body[:-20])  # a length that agrees: only the archive can tell
        return True

    with served(Site(body, answer=answer)) as site:
        with pytest.raises(DataError, match="damaged or cut off"):
            get_data(site.url, tmp_path / "data", patience=HASTY)
        assert not (tmp_path / "data").exists()
        get_data(site.url, tmp_path / "data", patience=HASTY)
    assert _data(tmp_path / "data") == HONEST
    assert site.asked_ranges == ["", ""]


def test_a_download_for_which_the_disk_was_too_small_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("make room")

    with served(Site(write_kind(tmp_path, "tar.gz").read_bytes())) as site:
        with monkeypatch.context() as patch:
            patch.setattr("lobule.data.get.intake.require_room", full)
            with pytest.raises(StorageError):
                get_data(site.url, tmp_path / "data", patience=HASTY)
        get_data(site.url, tmp_path / "data", patience=HASTY)
    assert len(site.requests) == 1
    assert _data(tmp_path / "data") == HONEST


def test_an_unpacking_that_was_killed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_kind(tmp_path, "zip")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(obtain, "digest_of_file", killed)
        with pytest.raises(KeyboardInterrupt):
            get_data(str(archive), tmp_path / "data")
    assert not (tmp_path / "data").exists()
    left = next(iter(_hidden(tmp_path))) / "content"
    (left / "images" / "half.png").write_bytes(b"half")
    get_data(str(archive), tmp_path / "data")
    assert _data(tmp_path / "data") == HONEST


def test_two_processes_do_not_work_at_one_place(tmp_path: Path) -> None:
    archive = write_kind(tmp_path, "zip")
    code = (
        "import sys, lobule.data.get.obtain as o\n"
        "o.digest_of_file = lambda path: (print('here', flush=True), sys.stdin.read())[1]\n"
        f"o.get_data({str(archive)!r}, {str(tmp_path / 'data')!r})\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "here\n"
        with pytest.raises(ConfigError, match="another process"):
            get_data(str(archive), tmp_path / "data")
        child.communicate()
    assert child.returncode == 0
    assert get_data(str(archive), tmp_path / "data").was_done


def test_the_expected_number_of_files_is_held_against_what_came(tmp_path: Path) -> None:
    archive = write_kind(tmp_path, "zip")
    with pytest.raises(DataError, match=r"--expect 4: .* holds 3 files"):
        get_data(str(archive), tmp_path / "data", expect=4)
    assert not (tmp_path / "data").exists()
    assert get_data(str(archive), tmp_path / "data", expect=3).n_files == 3


def test_an_empty_archive_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no file"):
        get_data(str(write_zip(tmp_path / "a.zip", {})), tmp_path / "data")


def test_what_came_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, real = write_kind(tmp_path, "zip"), archives_module.unpack

    def slow(path: Path, folder: Path, **options: object) -> int:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "mine.png").write_bytes(b"mine")
        return real(path, folder, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(obtain, "unpack", slow)
    with pytest.raises(ConfigError, match="cannot be put there"):
        get_data(str(archive), tmp_path / "data")
    assert _data(tmp_path / "data") == {"mine.png": b"mine"}


def test_breakhis_is_counted_cited_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, all_of_breakhis: bytes
) -> None:
    with served(Site(all_of_breakhis, cut=[30_000])) as site:
        monkeypatch.setattr(source_module, "BREAKHIS_URL", site.url)
        got = get_data("breakhis", tmp_path / "data", patience=HASTY)
    assert (got.n_files, got.n_images) == (7910, 7909)
    assert "7909 different BreakHis images: all of BreakHis" in got.notes[0]
    citation = (tmp_path / "data" / "CITATION.txt").read_text()
    assert got.notes[1] == citation
    assert "10.1109/TBME.2015.2496264" in citation
    assert "research only" in citation
    assert site.asked_ranges == ["", "bytes=30000-"]


def test_breakhis_with_an_image_missing_is_refused_and_kept_for_those_who_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list(breakhis_names())[1:]
    body = write_tar(tmp_path / "a.tar.gz", dict.fromkeys(names, b"pixels")).read_bytes()
    with served(Site(body)) as site:
        monkeypatch.setattr(source_module, "BREAKHIS_URL", site.url)
        with pytest.raises(DataError, match="adenosis at 40X: 113 instead of 114") as refused:
            get_data("breakhis", tmp_path / "data", patience=HASTY)
    assert not (tmp_path / "data").exists()
    kept = str(refused.value).split("lobule data get ")[1].split(" --to")[0]
    got = get_data(kept, tmp_path / "data")
    assert "7908 different BreakHis images: adenosis at 40X: 113 instead of 114" in got.notes[0]


def test_a_sample_of_breakhis_is_said_to_be_one(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", dict.fromkeys(list(breakhis_names())[:50], b"x"))
    got = get_data(str(archive), tmp_path / "data")
    assert got.notes[0].startswith("50 different BreakHis images: adenosis at 40X: 50 instead of 114; adenosis at 100X")
    assert "and " in got.notes[0]
    assert (tmp_path / "data" / "CITATION.txt").is_file()
    shutil.rmtree(tmp_path / "data")
