"""What a batch has done so far, one line an image, so that a stopped batch goes on where it was."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lobule.inference.answers import Answer
from lobule.line_journal import LineJournal

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

    Args:
        path: the file.
        origin: what the answers depend on besides the image, a JSON value.
        resume: use what is there, if its origin is the same; else start anew.

    Raises:
        RunError: another process is writing to it.
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path, *, origin: Mapping[str, Any], resume: bool) -> None:
        self.path = path
        self.answers: dict[Stamp, Answer] = {}
        self._lines = LineJournal(path, origin=origin, take=self._take, resume=resume)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()

    def append(self, entries: Iterable[tuple[Stamp, Answer]]) -> None:
        """Add answers and flush them to the disk.

        Raises:
            StorageError: there is no room; what was there before stays.
        """
        new = dict(entries)
        self._lines.append(_line(stamp, answer) for stamp, answer in new.items())
        self.answers.update(new)

    def discard(self) -> None:
        """Remove the file; its answers stand elsewhere now."""
        self._lines.discard()

    def _take(self, line: bytes) -> None:
        stamp, answer = _parsed(line)
        self.answers[stamp] = answer


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
