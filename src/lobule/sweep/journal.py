"""What a search knows so far, one line a configuration, so that a killed sweep goes on where it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lobule.line_journal import LineJournal
from lobule.sweep.inner_score import InnerScore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SearchJournal"]


class SearchJournal:
    """Scores on disk, as inner scores by stage, configuration and outer fit.

    Args:
        path: the file; begun anew where it is of another origin.
        origin: what the scores depend on besides the configuration, a JSON value.

    Raises:
        RunError: another process is writing to it.
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path, *, origin: Mapping[str, Any]) -> None:
        self._scores: dict[tuple[str, str, str], InnerScore] = {}
        self._lines = LineJournal(path, origin=origin, take=self._take)

    def __enter__(self) -> SearchJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()

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
        said = {part: [score.value, score.epochs] for part, score in scores.items()}
        self._lines.append([json.dumps({"stage": stage, "configuration": configuration, "scores": said})])
        self._scores |= {(stage, configuration, part): score for part, score in scores.items()}

    def _take(self, line: bytes) -> None:
        entry = json.loads(line)
        self._scores |= {
            (str(entry["stage"]), str(entry["configuration"]), str(part)): InnerScore(float(value), int(epochs))
            for part, (value, epochs) in entry["scores"].items()
        }
