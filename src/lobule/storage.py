"""What a disk refuses, said in a sentence; and whose turn it is to write, told by locks that die with their process."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lobule.errors import StorageError

__all__ = [
    "Turn",
    "claim",
    "explained",
    "flush_folder",
    "is_unfinished",
    "scratch_folder",
    "sweep",
    "write_durably",
    "writing",
    "written_by_others",
]

_ADVICE: Final = {
    errno.ENOSPC: "The disk is full: free some space (`lobule doctor` shows how much), then repeat the command.",
    errno.EDQUOT: "Your quota is used up: free some space, then repeat the command.",
    errno.EFBIG: "A file may not grow that large here: raise the limit (ulimit -f), then repeat the command.",
    errno.EROFS: "That place is read-only: name another with --out, or set LOBULE_CACHE if it is the cache.",
    errno.EACCES: "You may not use that place: name another with --out, or set LOBULE_CACHE if it is the cache.",
    errno.EPERM: "You may not use that place: name another with --out, or set LOBULE_CACHE if it is the cache.",
    errno.ENOENT: "Name a file or folder that is there, and a place that can be written.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENOTDIR: "Name a folder, not a file.",
    errno.EEXIST: "Something else is there already: name another place.",
    errno.EMFILE: "Too many files are open: raise the limit (ulimit -n 4096), then repeat the command.",
}
_HELD_BY_ANOTHER: Final = (errno.EACCES, errno.EAGAIN)
_UNFINISHED: Final = re.compile(r"\..+\.[0-9a-f]{12}\.tmp", re.DOTALL)
_ABANDONED_SECONDS: Final = 86_400


def explained(error: OSError, place: Path | str | None = None) -> str:
    """Say which file, why, and what can be done: nobody but the user can mend what the system refuses.

    Args:
        error: what the system said.
        place: the file, where the error does not name it (a full disk is met when writing, not when opening).
    """
    named = [name for name in (error.filename, error.filename2) if name is not None] or [place]
    shown = " -> ".join(str(name) for name in named if name is not None)
    reason = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0, "Run the command again with --debug for the traceback.")
    return f"{shown}: {reason}. {advice}" if shown else f"{reason}. {advice}"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system refuses while a file is written into an error that names it.

    Raises:
        StorageError: there is no room, or the place cannot be written to; it is an OSError, too.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        # The path as the user knows it: the error may name a temporary file beside it.
        refused = OSError(error.errno, error.strerror or str(error), str(path))
        raise StorageError(explained(refused)) from error


def write_durably(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file whole beside its place, flush it to the disk, then rename it: a crash leaves the old one or the new.

    Raises:
        OSError: what the system refuses.
    """
    while True:
        unfinished = path.with_name(f".{path.name[:200]}.{os.urandom(6).hex()}.tmp")
        try:
            with unfinished.open("wb") as stream:
                # Between the two a sweep may take it for abandoned: then there is another.
                if not claim(stream.fileno()) or not os.fstat(stream.fileno()).st_nlink:
                    continue
                stream.writelines([content] if isinstance(content, bytes) else content)
                stream.flush()
                os.fsync(stream.fileno())
                if os.name == "posix":  # still locked: no sweep comes in between
                    unfinished.replace(path)
                    return
            unfinished.replace(path)  # Windows renames no open file
            return
        finally:
            unfinished.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, so that a file renamed into it is there after a crash."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Turn:
    """The right to write to a folder, which one process has at a time; it ends with the context, or the process."""

    def __init__(self) -> None:
        self._begun = False
        self._descriptor: int | None = None

    def __enter__(self) -> Turn:
        self._begun = True
        return self

    def __exit__(self, *_: object) -> None:
        self._begun = False
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def take(self, folder: Path) -> bool:
        """Take the turn in a folder, which is made where it is missing; False where another has it.

        Outside the context nothing is taken, and nothing refused.
        """
        if not self._begun or self._descriptor is not None:
            return True
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _opened(folder)
        if descriptor is None or claim(descriptor):
            self._descriptor = descriptor
            return True
        os.close(descriptor)
        return False


def claim(descriptor: int) -> bool:
    """Lock an open file or folder for as long as the descriptor is open; False where another holder has it.

    Where the file system knows no locks, everything can be had: no lock is better than no work.
    """
    return _locked(descriptor) is not False


def sweep(folder: Path, pattern: str = ".*.tmp") -> None:
    """Remove what killed processes left half written, files and folders; what a living one writes is locked and stays.

    Only what has a name as it is given here is looked at: a folder may hold hidden files of other programs. No clock
    is asked, except where there are no locks: there, what is older than a day goes.
    """
    for unfinished in list(folder.glob(pattern)):
        if not is_unfinished(unfinished):
            continue
        with contextlib.suppress(OSError), _abandoned(unfinished) as is_abandoned:
            if not is_abandoned:
                continue
            if unfinished.is_dir():
                shutil.rmtree(unfinished)
            else:
                unfinished.unlink()


def is_unfinished(path: Path) -> bool:
    """Tell whether a file or folder has the name of something that is being written, or was when it was killed."""
    return _UNFINISHED.fullmatch(path.name) is not None


@contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside the folder that it will become by a rename; it is gone afterwards, also after a kill.

    What killed processes left of the same target is swept first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent, f".{glob.escape(target.name)}.*.tmp")
    turn = Turn()
    while True:
        unfinished = target.with_name(f".{target.name}.{os.urandom(6).hex()}.tmp")
        with turn:
            # Before it is locked, a sweep may take it for abandoned: then there is another.
            if not turn.take(unfinished) or not unfinished.is_dir():
                continue
            try:
                yield unfinished
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            return


@contextmanager
def written_by_others(path: Path) -> Iterator[Path]:
    """Yield a place of the same name for a library that writes files itself; it becomes the file by a rename."""
    with scratch_folder(path) as folder:
        yield folder / path.name
        (folder / path.name).replace(path)


@contextmanager
def _abandoned(path: Path) -> Iterator[bool]:
    """Tell whether nobody is writing it; if so, it is locked meanwhile, so that nobody begins."""
    descriptor = _opened(path)
    locked = None if descriptor is None else _locked(descriptor)
    if descriptor is None or locked is None:
        if descriptor is not None:
            os.close(descriptor)
        yield time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
        return
    try:
        yield locked
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool | None:
    """Return whether a lock could be taken; None where there are none."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows
        return None
    except OSError as error:
        return False if error.errno in _HELD_BY_ANOTHER else None
    return True


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None
