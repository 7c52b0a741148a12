"""Reading back the failures.csv of an earlier batch."""

from __future__ import annotations

import csv
from pathlib import Path

from lobule.data.manifest import Failure

__all__ = ["read_failures"]


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
