"""What may be unpacked: nothing leaves its folder, nothing is a link, nothing comes twice, nothing is a bomb."""

from __future__ import annotations

import re
import shutil
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lobule.errors import DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Intake", "Limits", "Member", "require_room", "safe_parts"]

_GIB = 2**30
_MARGIN = 64 * 2**20
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE_LETTER = re.compile(r"[A-Za-z]:")
_ADVICE = "nothing of it was kept; do not trust this archive, get it again from its publisher"


@dataclass(frozen=True)
class Limits:
    """How much an archive may become.

    Attributes:
        files: members.
        size: bytes of all files together.
        ratio: bytes unpacked for each byte of the archive; images hardly shrink, so much more is a bomb.
        ratio_from: bytes below which the ratio is not looked at; a few empty images shrink well.
    """

    files: int = 250_000
    size: int = 256 * _GIB
    ratio: int = 100
    ratio_from: int = 256 * 2**20


@dataclass(frozen=True)
class Member:
    """One entry of an archive, as it declares itself.

    Attributes:
        name: its path, with forward or backward slashes.
        size: bytes of its content.
        kind: file or folder; anything else (a link, a device, ...) in words.
    """

    name: str
    size: int
    kind: Literal["file", "folder"] | str


class Intake:
    """Receives the members of one archive into one folder and refuses what could do harm.

    Args:
        archive: the archive, for messages and the ratio.
        folder: an empty folder; whoever calls removes it when something is refused.
        limits: how much may come.
    """

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self._limits = archive, folder, limits
        self._archive_size = archive.stat().st_size
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._members = 0
        self.written = 0

    @property
    def n_files(self) -> int:
        """Number of files admitted so far."""
        return len(self._files)

    def admit(self, member: Member) -> Path:
        """Return where a member may be written, its folders made.

        Raises:
            DataError: it may not be written anywhere.
        """
        self._members += 1
        if self._members > self._limits.files:
            raise self.refusal(f"holds more than {self._limits.files:,} members")
        if member.kind not in ("file", "folder"):
            raise self.refusal(f"member {member.name!r} is a {member.kind}; only files and folders are unpacked")
        try:
            parts = safe_parts(member.name)
        except ValueError as error:
            raise self.refusal(f"member {member.name!r} {error}") from None
        self._claim(parts, member)
        if member.kind == "file":
            self._weigh(member.size)
            require_room(self.folder, member.size, f"unpacking {self.archive.name}")
        path = self.folder.joinpath(*parts)
        (path if member.kind == "folder" else path.parent).mkdir(parents=True, exist_ok=True)
        return path

    def receive(self, member: Member, chunks: Iterable[bytes]) -> None:
        """Write a file; what it declared as its size is what it must have.

        Raises:
            DataError: it may not be written, or is longer or shorter than it says.
        """
        path, size = self.admit(member), 0
        with path.open("xb") as stream:
            for chunk in chunks:
                size += len(chunk)
                self.spend(len(chunk))
                stream.write(chunk)
        if size != member.size:
            raise self.refusal(f"member {member.name!r} says {member.size} bytes and has {size}")

    def spend(self, size: int) -> None:
        """Count bytes that are about to be written, whatever was declared.

        Raises:
            DataError: they are too many.
        """
        self._weigh(size)
        self.written += size

    def refusal(self, what: str) -> DataError:
        """Return the error that says what is wrong with the archive."""
        return DataError(f"archive {self.archive.name}: {what}; {_ADVICE}.")

    def _claim(self, parts: tuple[str, ...], member: Member) -> None:
        # Compared as the least able file system would: without case, composed letters equal to decomposed ones.
        keys = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        *above, own = [unicodedata.normalize("NFC", key).casefold() for key in keys]
        if own in self._files or (member.kind == "file" and own in self._folders):
            raise self.refusal(f"member {member.name!r} comes twice (upper and lower case count as the same)")
        if blocked := [key for key in above if key in self._files]:
            raise self.refusal(f"member {member.name!r} lies in {blocked[0]!r}, which is a file")
        self._folders.update(above)
        (self._files if member.kind == "file" else self._folders).add(own)

    def _weigh(self, size: int) -> None:
        total = self.written + size
        if total > self._limits.size:
            raise self.refusal(f"unpacks to more than {self._limits.size / _GIB:.0f} GiB")
        if total > self._limits.ratio_from and total > self._limits.ratio * self._archive_size:
            raise self.refusal(f"unpacks to more than {self._limits.ratio} times its own size, as bombs do")


def safe_parts(name: str) -> tuple[str, ...]:
    """Split the path of a member into parts that stay below the folder it is unpacked into.

    Args:
        name: as an archive or a listing gives it.

    Returns:
        The parts, without `.` and empty ones.

    Raises:
        ValueError: the path is absolute, leads upwards, is empty or holds control characters.

    >>> safe_parts("./BreaKHis_v1//histology_slides/")
    ('BreaKHis_v1', 'histology_slides')
    """
    slashed = name.replace("\\", "/")
    parts = tuple(part for part in slashed.split("/") if part not in ("", "."))
    if slashed.startswith("/") or _DRIVE_LETTER.match(slashed):
        raise ValueError("is an absolute path")
    if ".." in parts:
        raise ValueError("leads out of its folder")
    if _CONTROL.search(name):
        raise ValueError("has control characters in its name")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError("has a name that is not valid text") from None
    if not parts and "." not in slashed.split("/"):
        raise ValueError("has no name")
    return parts


def require_room(folder: Path, size: int, purpose: str) -> None:
    """Check that a disk has room, with a margin.

    Args:
        folder: a folder on the disk, or one that is still to be made.
        size: bytes that are needed.
        purpose: what needs them.

    Raises:
        StorageError: there is less.
    """
    nearest = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(nearest).free
    if free < size + _MARGIN:
        raise StorageError(
            f"{purpose} needs {(size + _MARGIN) / _GIB:.2f} GiB on the disk of {folder}, and {free / _GIB:.2f} GiB are "
            "free; make room, or name another disk with --to. What was downloaded is kept."
        )
