"""What a search knows so far, one line a configuration, so that a killed sweep goes on where it was."""

from __future__ import annotations

import json
import os
from typing import IO, TYPE_CHECKING, Any

from lobule.storage import writing
from lobule.sweep.inner_score import InnerScore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SearchJournal"]


class SearchJournal:
    """Scores on disk; a line that a crash cut short is dropped at the next opening.

    Args:
        path: the file; begun anew where it is of another origin.
        origin: what the scores depend on besides the configuration, a JSON value.
    """

    def __init__(self, path: Path, *, origin: Mapping[str, Any]) -> None:
        self.path = path
        self._scores: dict[tuple[str, str, str], InnerScore] = {}
        header = json.dumps({"origin": origin}, sort_keys=True)
        kept = self._load(header)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: IO[bytes] = path.open("r+b" if kept else "wb")
            self._stream.truncate(kept)
            self._stream.seek(kept)
        if not kept:
            self._write(header)

    def __enter__(self) -> SearchJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def known(self, stage: str, configuration: str, part: str) -> InnerScore | None:
        """Return the score of a configuration on the inner folds of an outer fit; None where it is not known.

        Args:
            stage: how long it was trained.
            configuration: digest of its settings.
            part: name of the outer fit.
        """
        return self._scores.get((stage, configuration, part))

    def add(self, stage: str, configuration: str, scores: Mapping[str, InnerScore]) -> None:
        """Add the scores of a configuration, by outer fit, and flush them to the disk."""
        self._write(
            json.dumps(
                {
                    "stage": stage,
                    "configuration": configuration,
                    "scores": {part: [score.value, score.epochs] for part, score in scores.items()},
                }
            )
        )
        self._scores |= {(stage, configuration, part): score for part, score in scores.items()}

    def discard(self) -> None:
        """Remove the file; what it holds stands elsewhere now."""
        self._stream.close()
        self.path.unlink(missing_ok=True)

    def _write(self, line: str) -> None:
        with writing(self.path):
            self._stream.write(f"{line}\n".encode())
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def _load(self, header: str) -> int:
        """Read the scores; return the number of bytes of whole lines, 0 where the journal is of another origin."""
        if not self.path.is_file():
            return 0
        *lines, _ = self.path.read_bytes().split(b"\n")
        if not lines or lines[0] != header.encode():
            return 0
        kept = len(lines[0]) + 1
        for line in lines[1:]:
            try:
                entry = json.loads(line)
                found = {
                    (str(entry["stage"]), str(entry["configuration"]), str(part)): InnerScore(float(value), int(epochs))
                    for part, (value, epochs) in entry["scores"].items()
                }
            except (ValueError, KeyError, TypeError):
                break
            self._scores |= found
            kept += len(line) + 1
        return kept
