"""7z archives, by py7zr: every member is looked at before the first one is written."""

from __future__ import annotations

import struct
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from lobule.data.get.intake import Member, safe_parts
from lobule.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from py7zr.py7zr import ArchiveFile

    from lobule.data.get.intake import Intake
    from lobule.progress import Progress

__all__ = ["unpack_seven_zip"]

# What py7zr lets through when a header is nonsense, beside its own errors.
_NONSENSE = (AssertionError, AttributeError, IndexError, KeyError, MemoryError, OverflowError, TypeError, struct.error)


def unpack_seven_zip(intake: Intake, progress: Progress) -> None:
    """Unpack a 7z archive.

    Args:
        intake: the archive and where its members go.
        progress: told how many MB are done.

    Raises:
        DataError: it is damaged, under a password, or holds what may not be unpacked.
        MissingExtraError: py7zr is not installed.
    """
    try:
        import py7zr
        from py7zr.exceptions import AbsolutePathError, ArchiveError, PasswordRequired
    except ImportError:
        raise MissingExtraError("unpacking a 7z archive", "data") from None
    try:
        # An open file, not a path: py7zr then unpacks in this thread, and sizes are counted in one place.
        with intake.archive.open("rb") as stream, py7zr.SevenZipFile(stream) as archive:
            members = [Member(info.filename, info.uncompressed or 0, _kind(info)) for info in archive.files]
            paths = {"/".join(safe_parts(member.name)): intake.admit(member) for member in members}
            total = sum(member.size for member in members)
            with closing(_Files(intake, paths, total, progress)) as files:
                archive.extractall(factory=files)
    except PasswordRequired:
        raise DataError(f"archive {intake.archive.name}: is under a password; unpack it yourself.") from None
    except (ArchiveError, AbsolutePathError, *_NONSENSE) as error:
        raise DataError(
            f"archive {intake.archive.name}: is damaged ({type(error).__name__}: {error}); get it again."
        ) from error
    if missing := [key for key, path in paths.items() if not path.exists()]:
        raise intake.refusal(f"member {missing[0]!r} has no content")


def _kind(info: ArchiveFile) -> str:
    if info.is_symlink or info.is_junction:
        return "link"
    if info.is_directory:
        return "folder"
    return "file" if info.is_file and not info.is_socket else "special file"


class _Files:
    """Gives py7zr a file to write into for each member, as its `WriterFactory` does."""

    def __init__(self, intake: Intake, paths: dict[str, Path], total: int, progress: Progress) -> None:
        self._intake, self._paths, self._total, self._progress = intake, paths, total, progress
        self._open: BinaryIO | None = None

    def create(self, filename: str) -> _File:
        self._progress("unpack, MB", self._intake.written // 10**6, self._total // 10**6)
        self.close()
        self._open = self._paths["/".join(safe_parts(filename))].open("xb")
        return _File(self._open, self._intake)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()


class _File:
    """One file, as `Py7zIO` wants it."""

    def __init__(self, stream: BinaryIO, intake: Intake) -> None:
        self._stream, self._intake = stream, intake

    def seekable(self) -> bool:
        return False

    def write(self, content: bytes | bytearray) -> int:
        self._intake.spend(len(content))
        return self._stream.write(content)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()
