"""What a batch has done so far, one line an image, so that a stopped batch goes on where it was."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from lobule.errors import RunError
from lobule.inference.answers import Answer
from lobule.storage import claim, writing

__all__ = ["Journal", "Stamp", "stamp_of"]


@dataclass(frozen=True)
class Stamp:
    """A file as it was when it was answered: its absolute path, size in bytes and time of change in nanoseconds."""

    path: str
    size: int
    mtime_ns: int


def stamp_of(file: Path) -> Stamp:
    """Return the stamp of a file; its size is -1 where it cannot be seen."""
    try:
        status = file.stat()
    except OSError:
        return Stamp(str(file.absolute()), -1, 0)
    return Stamp(str(file.absolute()), status.st_size, status.st_mtime_ns)


class Journal:
    """Answers on disk, beside the file that they will become.

    Lines are appended and flushed to the disk; a line that a crash cut short is dropped at the next opening. The first
    line says what the answers depend on besides the image, and a journal of anything else is not used.

    Args:
        path: the file.
        origin: what the answers depend on, a JSON value.
        resume: use what is there, if its origin is the same; else start anew.

    Raises:
        RunError: another process is writing to it.
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path, *, origin: Mapping[str, Any], resume: bool) -> None:
        self.path = path
        self.answers: dict[Stamp, Answer] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        header = json.dumps({"origin": origin}, sort_keys=True)
        with writing(path):
            self._stream = _opened(path)
        kept = self._load(header) if resume else 0
        self._stream.truncate(kept)
        if not kept:
            self._write([header])

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # What a full disk has refused is refused again, and was said.
            self._stream.close()

    def append(self, entries: Iterable[tuple[Stamp, Answer]]) -> None:
        """Add answers and flush them to the disk.

        Raises:
            StorageError: there is no room; what was there before stays.
        """
        new = dict(entries)
        self._write(_line(stamp, answer) for stamp, answer in new.items())
        self.answers.update(new)

    def discard(self) -> None:
        """Remove the file; its answers stand elsewhere now."""
        if os.name == "posix":  # While it is locked, so that nobody opens what is about to go.
            self.path.unlink()
            self._stream.close()
        else:
            self._stream.close()
            self.path.unlink()

    def _write(self, lines: Iterable[str]) -> None:
        with writing(self.path):
            self._stream.write("".join(f"{line}\n" for line in lines).encode())
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def _load(self, header: str) -> int:
        """Read the answers; return the number of bytes of whole lines, 0 where the journal is of another origin."""
        lines = _whole_lines(self.path.read_bytes())
        if next(lines, None) != header.encode():
            return 0
        kept = len(header) + 1
        for line in lines:
            try:
                stamp, answer = _parsed(line)
            except (ValueError, KeyError, TypeError):
                break
            self.answers[stamp] = answer
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


def _whole_lines(content: bytes) -> Iterator[bytes]:
    *lines, _ = content.split(b"\n")
    yield from lines


def _line(stamp: Stamp, answer: Answer) -> str:
    logits = {task: values.tolist() for task, values in answer.logits.items()}
    novelty = None if math.isnan(answer.novelty) else answer.novelty
    said = {"pixel_sha256": answer.pixel_sha256, "logits": logits, "novelty": novelty, "refusal": answer.refusal}
    return json.dumps({**vars(stamp), **said})


def _parsed(line: bytes) -> tuple[Stamp, Answer]:
    entry = json.loads(line)
    stamp = Stamp(str(entry["path"]), int(entry["size"]), int(entry["mtime_ns"]))
    logits = {task: np.array(values, dtype=np.float64) for task, values in entry["logits"].items()}
    novelty = math.nan if entry["novelty"] is None else float(entry["novelty"])
    return stamp, Answer(str(entry["pixel_sha256"]), logits, novelty, str(entry["refusal"]))
