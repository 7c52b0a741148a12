"""The list of inputs that could not be used, as `failures.csv`."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lobule.provenance import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Failure", "read_failures", "write_failures"]


@dataclass(frozen=True)
class Failure:
    """An input that could not be used: its path as the user knows it, and the reason."""

    path: str
    reason: str


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write `path, reason` rows, atomically; without failures the file is removed."""
    rows = [(failure.path, failure.reason) for failure in failures]
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    # Everything quoted: a lone carriage return in a file name would else be left bare by older Pythons.
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("path", "reason"), *rows])
    write_atomically(path, text.getvalue())


def read_failures(path: Path) -> tuple[Failure, ...]:
    """Return what failures.csv lists; nothing where there is no such file, or it is something else."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error):
        return ()
    if rows[:1] != [["path", "reason"]] or any(len(row) != 2 for row in rows):
        return ()
    return tuple(Failure(*row) for row in rows[1:])
