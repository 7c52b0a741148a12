from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import requests

from lobule.data.get import drive as drive_module
from lobule.data.get import get_data
from lobule.errors import DataError, MissingExtraError, StorageError
from tests.data.get.archives import HONEST, content_of, write_kind
from tests.data.get.drive_site import (
    FILE_ID,
    FILE_URL,
    FOLDER_ID,
    FOLDER_URL,
    LOGIN_PAGE,
    QUOTA_PAGE,
    Drive,
    drive_at_hand,
)

_SUBFOLDER = "1subfolderBBBBBBBBBBBBBBBBBBBBBBB"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive_module, "_RETRIES", 1)


def _data(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in content_of(folder).items() if name != "lobule-source.json"}


def _one_file(tmp_path: Path, kind: str = "zip") -> Drive:
    archive = write_kind(tmp_path, kind)
    return Drive({FILE_ID: archive.read_bytes()}, {FILE_ID: f"images.{kind}"})


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar"])
@pytest.mark.parametrize("scanned", [False, True])
def test_a_file_is_fetched_past_the_virus_scan_page_and_unpacked(tmp_path: Path, kind: str, scanned: bool) -> None:
    drive = _one_file(tmp_path, kind)
    drive.scanned = {FILE_ID} if scanned else set()
    with drive_at_hand(drive) as site:
        got = get_data(FILE_URL, tmp_path / "data")
    assert _data(tmp_path / "data") == HONEST
    assert (got.n_files, got.n_images, got.was_done) == (3, 2, False)
    assert any("confirm=t" in path for path in site.paths) == scanned


def test_a_file_that_breaks_off_goes_on_with_the_next_command(tmp_path: Path) -> None:
    files = {"image.png": np.random.default_rng(0).bytes(2_000_000)}
    body = write_kind(tmp_path, "zip", files).read_bytes()
    # The first answer only tells the name; what breaks off is the content, twice.
    drive = Drive({FILE_ID: body}, {FILE_ID: "images.zip"}, cut=[len(body), 1_200_000, 0])
    with drive_at_hand(drive) as site:
        with pytest.raises(DataError, match="broke off several times; the same command goes on"):
            get_data(FILE_URL, tmp_path / "data")
        assert not (tmp_path / "data").exists()
        get_data(FILE_URL, tmp_path / "data")
    assert _data(tmp_path / "data") == files
    assert site.asked_ranges[-1] == f"bytes={2**20}-"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ((200, QUOTA_PAGE), "quota of downloads is used up: wait up to 24 hours"),
        ((200, LOGIN_PAGE), "'Anyone with the link'"),
        ((403, LOGIN_PAGE), "'Anyone with the link'"),
        ((404, "<html><title>Error 404</title></html>"), "'Anyone with the link'"),
        ((429, "<html>automated queries</html>"), "Drive"),
    ],
)
@pytest.mark.parametrize("url", [FILE_URL, FOLDER_URL])
def test_what_drive_says_instead_of_a_file_is_said_in_words(
    tmp_path: Path, page: tuple[int, str], said: str, url: str
) -> None:
    drive = Drive(pages={FILE_ID: page, FOLDER_ID: page})
    if url is FOLDER_URL and page[1] is QUOTA_PAGE:
        said = "lists no file"
    with drive_at_hand(drive), pytest.raises(DataError, match=said) as refused:
        get_data(url, tmp_path / "data")
    assert "mount Drive in Colab" in str(refused.value)
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_no_archive_is_not_kept(tmp_path: Path) -> None:
    with drive_at_hand(Drive({FILE_ID: b"text"}, {FILE_ID: "notes.txt"})), pytest.raises(DataError, match="no archive"):
        get_data(FILE_URL, tmp_path / "data")
    assert list(tmp_path.glob(".data.getting-*/download/*")) == []


def test_a_folder_is_fetched_with_its_subfolders(tmp_path: Path) -> None:
    drive = Drive()
    drive.add_folder(FOLDER_ID, {"one.png": b"1", "read me.txt": b"r"})
    drive.add_folder(_SUBFOLDER, {"two.png": b"2"})
    drive.folders[FOLDER_ID].append((_SUBFOLDER, "malignant", True))
    told: list[tuple[str, int, int]] = []
    with drive_at_hand(drive):
        got = get_data(FOLDER_URL, tmp_path / "data", expect=3, progress=lambda *step: told.append(step))
        assert get_data(FOLDER_URL, tmp_path / "data").was_done
    assert _data(tmp_path / "data") == {"one.png": b"1", "read me.txt": b"r", "malignant/two.png": b"2"}
    assert got.n_images == 2
    assert told[0] == ("download, files", 0, 3)
    assert told[-1] == ("download, files", 3, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_folder_that_holds_an_archive_is_unpacked(tmp_path: Path) -> None:
    drive = Drive()
    content = {
        "BreakHis.zip": write_kind(tmp_path, "zip").read_bytes(),
        "sheet.xlsx": write_kind(tmp_path, "zip").read_bytes(),
    }
    drive.add_folder(FOLDER_ID, content)
    with drive_at_hand(drive):
        get_data(FOLDER_URL, tmp_path / "data")
    found = _data(tmp_path / "data")
    assert {name.removeprefix("BreakHis/"): found[name] for name in found if name != "sheet.xlsx"} == HONEST


def test_a_folder_of_many_files_goes_on_where_it_stopped(tmp_path: Path) -> None:
    drive = Drive()
    drive.add_folder(FOLDER_ID, {f"{number}.png": str(number).encode() for number in range(60)})
    stopped = drive.folders[FOLDER_ID][40][0]
    drive.pages[stopped] = (200, QUOTA_PAGE)
    with drive_at_hand(drive):
        with pytest.raises(DataError, match=r"file 40\.png: its quota of downloads is used up"):
            get_data(FOLDER_URL, tmp_path / "data")
        assert not (tmp_path / "data").exists()
        had = {path.name for path in tmp_path.glob(".data.getting-*/download/*.png")}
        assert 0 < len(had) < 60
        (next(tmp_path.glob(".data.getting-*/download")) / "1.pngabcdefgh.part").write_bytes(
            b"left by a killed command"
        )
        drive.pages.clear()
        drive.asked.clear()
        got = get_data(FOLDER_URL, tmp_path / "data")
    assert got.n_files == 60
    assert set(drive.asked) == {file_id for file_id, name, _ in drive.folders[FOLDER_ID] if name not in had}
    assert _data(tmp_path / "data") == {f"{number}.png": str(number).encode() for number in range(60)}


@pytest.mark.parametrize("count", [50, 100, 1000])
def test_a_listing_that_ends_where_pages_end_fails_loudly_and_says_what_to_do(tmp_path: Path, count: int) -> None:
    drive = Drive()
    drive.add_folder(FOLDER_ID, {"one.png": b"1"})
    drive.add_folder(_SUBFOLDER, {f"{number}.png": b"x" for number in range(count)})
    drive.folders[FOLDER_ID].append((_SUBFOLDER, "benign", True))
    with drive_at_hand(drive), pytest.raises(DataError, match=f"exactly {count} entries in benign") as refused:
        get_data(FOLDER_URL, tmp_path / "data")
    assert f"--expect {count + 1}" in str(refused.value)
    assert "one zip file" in str(refused.value)
    assert drive.asked == []


def test_a_user_who_knows_the_number_overrules_the_doubt(tmp_path: Path) -> None:
    drive = Drive()
    drive.add_folder(FOLDER_ID, {f"{number}.png": b"x" for number in range(50)})
    with drive_at_hand(drive):
        with pytest.raises(DataError, match=r"--expect 7500: Drive lists 50 files .*cut off"):
            get_data(FOLDER_URL, tmp_path / "data", expect=7500)
        assert drive.asked == []
        assert get_data(FOLDER_URL, tmp_path / "data", expect=50).n_files == 50


def test_two_files_of_one_name_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    drive = Drive(folders={FOLDER_ID: []})
    with drive_at_hand(drive):
        with pytest.raises(DataError, match="empty, or private"):
            get_data(FOLDER_URL, tmp_path / "data")
        drive.add_folder(FOLDER_ID, {"one.png": b"1"})
        drive.folders[FOLDER_ID] *= 2
        with pytest.raises(DataError, match=r"one\.png is there twice"):
            get_data(FOLDER_URL, tmp_path / "data")


def test_a_name_that_would_lead_out_is_harmless(tmp_path: Path) -> None:
    drive = Drive()
    drive.add_folder(FOLDER_ID, {"../../outside.png": b"evil", "a\x01b.png": b"odd"})
    drive.folders[FOLDER_ID].pop()
    with drive_at_hand(drive):
        get_data(FOLDER_URL, tmp_path / "data")
    assert set(_data(tmp_path / "data")) == {".._.._outside.png"}


def test_a_disk_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    with drive_at_hand(_one_file(tmp_path)), pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.move", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StorageError, match="No space left"):
            get_data(FILE_URL, tmp_path / "data")


@pytest.mark.parametrize(("status", "said"), [(429, "too many"), (403, "too many"), (500, "status 500")])
def test_a_file_that_drive_refuses_while_it_is_fetched(tmp_path: Path, status: int, said: str) -> None:
    """What comes with a name and an error, as a limit on requests does."""
    drive = _one_file(tmp_path)
    drive.refused[FILE_ID] = status
    with drive_at_hand(drive), pytest.raises(DataError, match=said):
        get_data(FILE_URL, tmp_path / "data")


def test_no_network_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> requests.Response:
        raise requests.ConnectionError("Network is unreachable")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", offline)
    for url in (FILE_URL, FOLDER_URL):
        with pytest.raises(DataError, match="no connection to Google Drive"):
            get_data(url, tmp_path / "data")


def test_too_little_room_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("make room")

    monkeypatch.setattr(drive_module, "require_room", full)
    with drive_at_hand(_one_file(tmp_path)), pytest.raises(StorageError, match="make room"):
        get_data(FILE_URL, tmp_path / "data")


def test_without_gdown_the_line_that_brings_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gdown", None)
    for url in (FILE_URL, FOLDER_URL):
        with pytest.raises(MissingExtraError, match=r"lobule\[data\]"):
            get_data(url, tmp_path / "data")
