from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.data.get.archives import archive_kind, unpack
from lobule.data.get.intake import Limits, require_room, safe_parts
from lobule.errors import DataError, MissingExtraError, StorageError
from tests.data.get.archives import (
    HONEST,
    content_of,
    write_kind,
    write_seven_zip,
    write_special_tar,
    write_special_zip,
    write_tar,
    write_zip,
)

_KINDS = ("zip", "7z", "tar", "tar.gz", "tar.bz2", "tar.xz")


@pytest.mark.parametrize("kind", _KINDS)
def test_every_format_is_unpacked_as_it_was_packed(tmp_path: Path, kind: str) -> None:
    told: list[tuple[str, int, int]] = []
    archive = write_kind(tmp_path, kind)
    assert archive_kind(archive.read_bytes()[:512]) == kind
    count = unpack(archive, tmp_path / "out", progress=lambda *step: told.append(step))
    assert count == 3
    assert content_of(tmp_path / "out") == HONEST
    assert {stage for stage, _, _ in told} == {"unpack, MB"}


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../outside.png", "leads out of its folder"),
        ("a/../../outside.png", "leads out of its folder"),
        ("..\\outside.png", "leads out of its folder"),
        ("/tmp/outside.png", "absolute path"),
        ("C:/outside.png", "absolute path"),
    ],
)
def test_nothing_leaves_its_folder(tmp_path: Path, kind: str, name: str, said: str) -> None:
    if kind == "7z":
        # py7zr refuses to write such a name, so one of the same length is written and overwritten in the plain header.
        import py7zr

        archive = tmp_path / "archive.7z"
        with py7zr.SevenZipFile(archive, "w") as packed:
            packed.set_encoded_header_mode(False)
            packed.writestr(b"evil", "x" * len(name))
        raw = archive.read_bytes()
        evil = raw.replace(("x" * len(name)).encode("utf-16-le"), name.encode("utf-16-le"))
        assert evil != raw
        archive.write_bytes(_with_header_sum(evil))
    else:
        archive = write_kind(tmp_path, kind, {"fine.png": b"fine", name: b"evil"})
    with pytest.raises(DataError, match=said):
        unpack(archive, tmp_path / "out" / "deep")
    assert sorted(path.name for path in tmp_path.rglob("*outside*")) == []
    assert not Path("/tmp/outside.png").exists()


def _with_header_sum(raw: bytes) -> bytes:
    """Return a 7z whose sums are right again after its header was changed."""
    import struct
    import zlib

    offset, size = struct.unpack("<QQ", raw[12:28])
    header = raw[32 + offset : 32 + offset + size]
    start = raw[12:28] + struct.pack("<L", zlib.crc32(header))
    return raw[:8] + struct.pack("<L", zlib.crc32(start)) + start + raw[32:]


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "device"),
    ],
)
def test_a_tar_brings_no_links_and_no_devices(tmp_path: Path, kind: bytes, word: str) -> None:
    archive = write_special_tar(tmp_path / "archive.tar.gz", kind)
    with pytest.raises(DataError, match=f"member 'special' is a {word}"):
        unpack(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_link_to_a_folder_cannot_carry_a_file_outside(tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    with tarfile.open(archive, "w") as packed:
        link = tarfile.TarInfo("door")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        packed.addfile(link)
        file = tarfile.TarInfo("door/outside.png")
        file.size = 4
        packed.addfile(file, io.BytesIO(b"evil"))
    with pytest.raises(DataError, match="link"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "outside.png").exists()


@pytest.mark.parametrize(
    ("mode", "word"), [(stat.S_IFLNK, "link"), (stat.S_IFIFO, "special"), (stat.S_IFCHR, "special")]
)
def test_a_zip_brings_no_links_and_no_devices(tmp_path: Path, mode: int, word: str) -> None:
    with pytest.raises(DataError, match=f"is a {word}"):
        unpack(write_special_zip(tmp_path / "archive.zip", mode), tmp_path / "out")


def test_a_seven_zip_brings_no_links(tmp_path: Path) -> None:
    import py7zr

    (tmp_path / "target").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with py7zr.SevenZipFile(tmp_path / "archive.7z", "w") as packed:
        packed.write(tmp_path / "link", "link")
    with pytest.raises(DataError, match="is a link"):
        unpack(tmp_path / "archive.7z", tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "7z"])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("second", ["a/one.png", "a/./one.png", "A/ONE.png", "a//one.png"])
def test_a_name_that_comes_twice_is_refused(tmp_path: Path, kind: str, second: str) -> None:
    if kind == "zip":
        archive = tmp_path / "archive.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("a/one.png", b"first")
            packed.writestr(second, b"second")
    elif kind == "7z":
        import py7zr

        archive = tmp_path / "archive.7z"
        with py7zr.SevenZipFile(archive, "w") as packed:
            packed.writestr(b"first", "a/one.png")
            packed.writestr(b"second", second)
    else:
        archive = tmp_path / "archive.tar.gz"
        with tarfile.open(archive, "w:gz") as packed:
            for name in ("a/one.png", second):
                packed.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(DataError, match="comes twice"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_a_file_cannot_be_a_folder_too(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=r"which is a file|comes twice"):
        unpack(write_zip(tmp_path / "a.zip", dict.fromkeys(names, b"x")), tmp_path / "out")


@pytest.mark.parametrize("kind", _KINDS)
def test_a_bomb_is_stopped_by_its_ratio_before_it_fills_the_disk(tmp_path: Path, kind: str) -> None:
    archive = write_kind(tmp_path, kind, {"bomb.png": bytes(4_000_000), "more.png": bytes(4_000_000)})
    limits = Limits(ratio_from=1_000_000, ratio=20 if kind != "tar" else 0)
    with pytest.raises(DataError, match="times its own size"):
        unpack(archive, tmp_path / "out", limits=limits)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= 4_000_000


@pytest.mark.parametrize("kind", _KINDS)
def test_size_and_number_have_limits(tmp_path: Path, kind: str) -> None:
    archive = write_kind(tmp_path, kind)
    with pytest.raises(DataError, match="more than 2 members"):
        unpack(archive, tmp_path / "few", limits=Limits(files=2))
    with pytest.raises(DataError, match="GiB"):
        unpack(archive, tmp_path / "small", limits=Limits(size=3000))


def test_a_zip_that_lies_about_sizes_is_not_believed(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "archive.zip", {"image.png": bytes(50_000)})
    raw = archive.read_bytes()
    lying = raw.replace((50_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != raw
    archive.write_bytes(lying)
    with pytest.raises(DataError, match=r"damaged|says 10 bytes"):
        unpack(archive, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 10


def test_a_header_that_would_fill_the_memory_is_damage(tmp_path: Path) -> None:
    pax = tarfile.TarInfo("header")
    pax.type, pax.size = tarfile.XHDTYPE, 4 * 2**30
    archive = tmp_path / "archive.tar.gz"
    archive.write_bytes(gzip.compress(pax.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)))
    with pytest.raises(DataError, match="a header of 4294967296 bytes"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_an_archive_that_is_cut_off_is_not_taken_for_whole(tmp_path: Path, kind: str, share: float) -> None:
    noise = np.random.default_rng(0)
    archive = write_kind(tmp_path, kind, {f"{number}.png": noise.bytes(20_000) for number in range(20)})
    raw = archive.read_bytes()
    # The last blocks of a plain tar are zeros; without them the files are all there, which is still no whole archive.
    end = int(len(raw) * share) if kind != "tar" else min(int(len(raw) * share), 20 * (512 + 20_480))
    archive.write_bytes(raw[:end])
    with pytest.raises(DataError, match="archive archive"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", _KINDS)
def test_no_flipped_bit_goes_unseen_where_the_format_has_sums(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0)
    files = {f"{number}.png": noise.bytes(2_000) for number in range(5)}
    raw = write_kind(tmp_path, kind, files).read_bytes()
    for trial in range(60):
        place = int(noise.integers(len(raw)))
        archive = tmp_path / f"flipped-{trial}"
        archive.write_bytes(raw[:place] + bytes([raw[place] ^ (1 << int(noise.integers(8)))]) + raw[place + 1 :])
        folder = tmp_path / f"out-{trial}"
        try:
            unpack(archive, folder)
        except DataError:
            continue
        found = content_of(folder)
        if kind == "tar":  # sums only in its headers: the content of one file may differ, nothing may be missing
            assert sum(found[name] != content for name, content in files.items()) <= 1
        else:
            assert found == files


def test_a_tar_with_a_header_that_cannot_be_read_in_its_middle_is_damaged(tmp_path: Path) -> None:
    raw = bytearray(write_tar(tmp_path / "a.tar", {"1.png": b"1" * 512, "2.png": b"2" * 512}, mode="w:").read_bytes())
    raw[1024 + 148 : 1024 + 156] = b"garbage!"
    (tmp_path / "a.tar").write_bytes(raw)
    with pytest.raises(DataError, match="header that cannot be read"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_what_follows_the_end_of_a_tar_is_damage(tmp_path: Path) -> None:
    raw = write_tar(tmp_path / "a.tar", HONEST, mode="w:").read_bytes()
    (tmp_path / "a.tar").write_bytes(raw + b"more")
    with pytest.raises(DataError, match="something follows"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_a_disk_that_fills_up_is_not_taken_for_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    archive = write_zip(tmp_path / "a.zip", HONEST)
    monkeypatch.setattr("lobule.data.get.intake.Intake.spend", full)
    with pytest.raises(StorageError, match="No space left"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("name", ["a\x01b.png", "bad\udcff.png", "/"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"control|valid text|absolute"):
        safe_parts(name)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_that_is_no_tar_is_said_so(tmp_path: Path, compress: object) -> None:
    (tmp_path / "a.gz").write_bytes(compress(b"only a text" * 100))  # type: ignore[operator]
    with pytest.raises(DataError, match="damaged"):
        unpack(tmp_path / "a.gz", tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no archive"),
        (b"hello", "is no archive"),
        (b"Rar!\x1a\x07\x00", "RAR file; supported are zip"),
        (b"\x28\xb5\x2f\xfd....", "Zstandard"),
    ],
)
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match=said):
        unpack(tmp_path / "a", tmp_path / "out")


def test_passwords_are_said(tmp_path: Path) -> None:
    import py7zr

    with py7zr.SevenZipFile(tmp_path / "a.7z", "w", password="secret") as packed:
        packed.writestr(b"content" * 100, "image.png")
    with pytest.raises(DataError, match="password"):
        unpack(tmp_path / "a.7z", tmp_path / "out")
    raw = bytearray(write_zip(tmp_path / "a.zip", {"image.png": b"x" * 100}).read_bytes())
    raw[6] |= 1
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(raw)
    with pytest.raises(DataError, match="password"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_without_py7zr_the_line_that_brings_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_seven_zip(tmp_path / "a.7z", HONEST)
    monkeypatch.setitem(__import__("sys").modules, "py7zr", None)
    with pytest.raises(MissingExtraError, match=r"lobule\[data\]"):
        unpack(archive, tmp_path / "out")


def test_an_empty_folder_is_kept_and_no_file_can_be_run(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        folder = tarfile.TarInfo("empty")
        folder.type = tarfile.DIRTYPE
        packed.addfile(folder)
        program = tarfile.TarInfo("program")
        program.mode = 0o6777
        packed.addfile(program, io.BytesIO())
    assert unpack(tmp_path / "a.tar", tmp_path / "out") == 1
    assert (tmp_path / "out" / "empty").is_dir()
    assert not os.access(tmp_path / "out" / "program", os.X_OK) or os.geteuid() == 0
    assert not (tmp_path / "out" / "program").stat().st_mode & 0o7111


def test_a_disk_without_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    require_room(tmp_path / "not" / "there", 1000, "this")
    with pytest.raises(StorageError, match=r"this needs 1048576\.06 GiB on the disk of"):
        require_room(tmp_path, 2**50, "this")


_NAME = st.text(st.sampled_from("ab./\\:C \x00é"), max_size=12)


@given(_NAME)
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    try:
        parts = safe_parts(name)
    except ValueError:
        return
    folder = Path("/some/folder")
    assert Path(os.path.normpath(folder.joinpath(*parts))).is_relative_to(folder)
    assert "\x00" not in "".join(parts)
