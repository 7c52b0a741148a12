from __future__ import annotations

from pathlib import Path

import pytest

from lobule.data.get.source import BREAKHIS_URL, SourceKind, parse_source
from lobule.errors import ConfigError

_ID = "1I2EFBgeyb9Lr1sdBtAZST1reEjCpkX3k"


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("breakhis", SourceKind.BREAKHIS, BREAKHIS_URL),
        ("BreakHis", SourceKind.BREAKHIS, BREAKHIS_URL),
        ("https://example.org/a.zip?x=1", SourceKind.WEB, "https://example.org/a.zip?x=1"),
        ("HTTP://example.org/a.zip", SourceKind.WEB, "HTTP://example.org/a.zip"),
        (f"https://drive.google.com/drive/folders/{_ID}", SourceKind.DRIVE_FOLDER, _ID),
        (f"https://drive.google.com/drive/folders/{_ID}?usp=sharing", SourceKind.DRIVE_FOLDER, _ID),
        (f"https://drive.google.com/drive/u/0/folders/{_ID}", SourceKind.DRIVE_FOLDER, _ID),
        (f"https://drive.google.com/embeddedfolderview?id={_ID}#list", SourceKind.DRIVE_FOLDER, _ID),
        (f"https://drive.google.com/file/d/{_ID}/view?usp=drive_link", SourceKind.DRIVE_FILE, _ID),
        (f"https://drive.google.com/open?id={_ID}", SourceKind.DRIVE_FILE, _ID),
        (f"https://drive.google.com/uc?export=download&id={_ID}", SourceKind.DRIVE_FILE, _ID),
        ("kaggle:ambarish/breakhis", SourceKind.KAGGLE, "ambarish/breakhis"),
        ("hf:some-one/data.set_1", SourceKind.HUGGING_FACE, "some-one/data.set_1"),
    ],
)
def test_what_a_source_is(text: str, kind: SourceKind, address: str) -> None:
    source = parse_source(text)
    assert (source.kind, source.address, source.given) == (kind, address, text)


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_a_file_on_this_machine(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a b.zip"
    path.touch()
    text = form.format(path if form == "{}" else str(path).replace(" ", "%20"))
    source = parse_source(text)
    assert (source.kind, source.address) == (SourceKind.FILE, str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://example.org/a.zip", "ftp addresses are not supported"),
        ("nfs://host/a", "nfs addresses are not supported"),
        ("https://", "is no address"),
        ("https://[::1", "is no address"),
        ("https://drive.google.com/drive/my-drive", "Share > Copy link"),
        ("kaggle:breakhis", "kaggle:OWNER/DATASET"),
        ("hf:../etc", "hf:OWNER/DATASET"),
        ("no/such/file.zip", "there is no such file"),
        ("", "is a folder"),
    ],
)
def test_what_is_no_source_is_told_what_is(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_source(text)


def test_a_folder_needs_no_fetching(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give it to `lobule train`"):
        parse_source(str(tmp_path))


def test_passwords_and_tokens_are_not_written_down() -> None:
    source = parse_source("https://user:secret@example.org/a.zip?token=secret#x")
    assert source.public == "https://example.org/a.zip"
    assert source.digest != parse_source("https://example.org/a.zip").digest
