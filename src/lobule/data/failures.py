"""The list of inputs that could not be used, as `failures.csv`."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from lobule.provenance import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lobule.data.manifest import Failure

__all__ = ["write_failures"]


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
