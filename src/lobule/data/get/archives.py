"""Archives: what a file is by its first bytes, and unpacking it into a folder."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from lobule.data.get.intake import Intake, Limits, Member
from lobule.data.get.tar_stream import TarStream
from lobule.errors import DataError, StorageError
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["HEAD", "archive_kind", "unpack"]

HEAD = 512
"""Bytes from which `archive_kind` can tell."""

_MIB = 2**20
_MAGIC = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x1f\x8b": "tar.gz",
    b"BZh": "tar.bz2",
    b"\xfd7zXZ\x00": "tar.xz",
}
_OTHERS = {b"Rar!": "RAR", b"\x28\xb5\x2f\xfd": "Zstandard"}
_DECOMPRESSED: dict[str, Any] = {"tar.gz": gzip.open, "tar.bz2": bz2.open, "tar.xz": lzma.open}
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, ValueError, NotImplementedError)


def archive_kind(head: bytes) -> str | None:
    """Tell the kind of an archive from its first 512 bytes: zip, 7z, tar, tar.gz, tar.bz2 or tar.xz; else None.

    A compressed file that holds no tar is only found out when it is unpacked.
    """
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def unpack(archive: Path, folder: Path, *, limits: Limits | None = None, progress: Progress = silent) -> int:
    """Unpack an archive into an empty folder; whatever happens, nothing is written outside it.

    Args:
        archive: zip, 7z, tar, or tar with gzip, bzip2 or xz.
        folder: empty, or not there yet. When an error is raised it holds a part, and the caller removes it.
        limits: how much may come; None: the usual.
        progress: told how many MB are done.

    Returns:
        Number of files.

    Raises:
        DataError: the file is no archive, is damaged or cut off, or holds what may not be unpacked.
        StorageError: the disk is too small.
        MissingExtraError: it is a 7z, and py7zr is not installed.
    """
    with archive.open("rb") as stream:
        head = stream.read(HEAD)
    kind = archive_kind(head)
    if kind is None:
        raise DataError(f"archive {archive.name}: {_what_else(head)}")
    folder.mkdir(parents=True, exist_ok=True)
    intake = Intake(archive, folder, limits or Limits())
    with _damage_explained(archive):
        if kind == "zip":
            _unpack_zip(intake, progress)
        elif kind == "7z":
            from lobule.data.get.seven_zip import unpack_seven_zip

            unpack_seven_zip(intake, progress)
        else:
            _unpack_tar(intake, _DECOMPRESSED.get(kind), progress)
    return intake.n_files


def _what_else(head: bytes) -> str:
    supported = "supported are zip, 7z and tar (also .gz, .bz2, .xz)"
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            return (
                f"is a {name} file; {supported}. Unpack it with another program and give the folder to `lobule train`."
            )
    return f"is no archive ({len(head)} bytes looked at, beginning with {head[:8]!r}); {supported}."


@contextmanager
def _damage_explained(archive: Path) -> Iterator[None]:
    """Turn what the format libraries raise into one sentence."""
    try:
        yield
    except _DAMAGE as error:
        raise _damaged(archive, error) from error
    except StorageError:  # it is an OSError, too, and says all there is to say
        raise
    except OSError as error:
        if error.errno is None:  # gzip and bz2 say so of bad data; an error of the disk has a number
            raise _damaged(archive, error) from error
        raise StorageError(f"archive {archive.name}: cannot be unpacked: {error.strerror or error}.") from error


def _damaged(archive: Path, error: Exception) -> DataError:
    return DataError(
        f"archive {archive.name}: is damaged or cut off ({type(error).__name__}: {error}); "
        "nothing of it was kept; get it again."
    )


def _unpack_zip(intake: Intake, progress: Progress) -> None:
    with zipfile.ZipFile(intake.archive) as archive:
        members = archive.infolist()
        total = sum(info.file_size for info in members)
        for info in members:
            member = Member(info.filename, info.file_size, _kind_in_zip(info))
            if member.kind != "file":
                intake.admit(member)
                continue
            with archive.open(info) as stream:
                intake.receive(member, _chunks(cast(BinaryIO, stream)))
            progress("unpack, MB", intake.written // 10**6, total // 10**6)


def _kind_in_zip(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "file under a password"
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "link" if stat.S_ISLNK(mode) else "special file"
    return "folder" if info.is_dir() else "file"


def _unpack_tar(intake: Intake, decompressed: Any, progress: Progress) -> None:
    size = intake.archive.stat().st_size
    with intake.archive.open("rb") as raw:
        stream = TarStream(decompressed(raw) if decompressed else raw)
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:") as archive:
            for info in archive:
                member = Member(info.name, info.size, _kind_in_tar(info))
                content = archive.extractfile(info) if member.kind == "file" else None
                if content is None:
                    intake.admit(member)
                else:
                    intake.receive(member, _chunks(cast(BinaryIO, content)))
                progress("unpack, MB", raw.tell() // 10**6, size // 10**6)
        stream.require_end()


def _kind_in_tar(info: tarfile.TarInfo) -> str:
    if info.issparse():
        return "file with holes"
    if info.isfile():
        return "file"
    if info.isdir():
        return "folder"
    return "link" if info.issym() or info.islnk() else "device or other special file"


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_MIB):
        yield chunk
