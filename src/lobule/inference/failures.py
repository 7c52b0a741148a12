"""failures.csv: which inputs could not be used, and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lobule.data.manifest import Failure
from lobule.provenance import write_atomically

__all__ = ["read_failures", "write_failures"]

_HEADER: Final = ("path", "reason")


def write_failures(failures: Sequence[Failure], path: Path) -> None:
    """Write failures by path, atomically; where nothing failed, the list of an earlier batch is removed."""
    if failures:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows(sorted((failure.path, failure.reason) for failure in failures))
        write_atomically(path, stream.getvalue())
    elif read_failures(path) is not None:
        path.unlink()


def read_failures(path: Path) -> tuple[Failure, ...] | None:
    """Return what `write_failures` wrote; None where there is no such file, or it is something else."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    if tuple(header) != _HEADER or any(len(row) != len(_HEADER) for row in rows):
        return None
    return tuple(Failure(*row) for row in rows)
