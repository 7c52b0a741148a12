"""What a long job has done so far, line by line on the disk, so that a stopped one goes on where it was."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from lobule.errors import RunError
from lobule.storage import claim, writing

__all__ = ["LineJournal"]


class LineJournal:
    """A file of lines that one process at a time appends to and flushes to the disk.

    The first line says what the others depend on, and what stands behind another first line is not used. A line that a
    crash cut short is dropped at the next opening, and so is all that follows one that cannot be read.

    Args:
        path: the file.
        origin: what the lines depend on, a JSON value.
        take: reads a line; ValueError, KeyError or TypeError where it cannot.
        resume: use what is there, if its origin is the same; else start anew.

    Raises:
        RunError: another process is writing to it.
        StorageError: it cannot be written.
    """

    def __init__(
        self, path: Path, *, origin: Mapping[str, Any], take: Callable[[bytes], None], resume: bool = True
    ) -> None:
        self._path = path
        header = json.dumps({"origin": origin}, sort_keys=True)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = _opened(path)
        kept = _load(path, header.encode(), take) if resume else 0
        self._stream.truncate(kept)
        if not kept:
            self.append([header])

    def append(self, lines: Iterable[str]) -> None:
        """Add lines and flush them to the disk.

        Raises:
            StorageError: there is no room; what was there before stays.
        """
        with writing(self._path):
            self._stream.write("".join(f"{line}\n" for line in lines).encode())
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """End writing; the file stays."""
        with contextlib.suppress(OSError):  # What a full disk has refused is refused again, and was said.
            self._stream.close()

    def discard(self) -> None:
        """Remove the file; what it holds stands elsewhere now."""
        if os.name == "posix":  # While it is locked, so that nobody opens what is about to go.
            self._path.unlink()
            self._stream.close()
        else:
            self._stream.close()
            self._path.unlink()


def _load(path: Path, header: bytes, take: Callable[[bytes], None]) -> int:
    """Read the lines; return the number of bytes of whole ones, 0 where the journal is of another origin."""
    *lines, _ = path.read_bytes().split(b"\n")
    if not lines or lines[0] != header:
        return 0
    kept = len(header) + 1
    for line in lines[1:]:
        try:
            take(line)
        except (ValueError, KeyError, TypeError):
            break
        kept += len(line) + 1
    return kept


def _opened(path: Path) -> IO[bytes]:
    while True:
        stream = path.open("a+b")  # makes the file, empties none
        if not claim(stream.fileno()):
            stream.close()
            raise RunError(
                f"{path}: another process is writing to it; wait until it has ended, or name another file with --out."
            )
        if os.fstat(stream.fileno()).st_nlink:
            return stream
        stream.close()  # Its owner has just removed it.
