"""Telling trackers of a finished run; whatever they do, the run is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lobule.errors import ConfigError
from lobule.provenance import write_atomically
from lobule.tracking.mlflow import import_mlflow, log_run
from lobule.tracking.tensorboard import require_tensorboard, write_events
from lobule.tracking.tracked import read_tracked

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TRACKERS", "check_trackers", "track_run"]

TRACKERS: Final = ("tensorboard", "mlflow")
_RECORD: Final = "tracking.json"


def check_trackers(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of trackers, each once, if all of them can be used; asked before the work instead of after it.

    Raises:
        ConfigError: a name is unknown, or MLflow is not installed.
        MissingExtraError: TensorBoard is not installed.
    """
    for name in names:
        if name not in TRACKERS:
            raise ConfigError(f"--track {name}: unknown; allowed: {', '.join(TRACKERS)}.")
    if "tensorboard" in names:
        require_tensorboard()
    if "mlflow" in names:
        import_mlflow()
    return tuple(dict.fromkeys(names))


def track_run(run: Path, names: Sequence[str]) -> list[str]:
    """Tell trackers of a finished run, each once; tracking.json says which know of it.

    Args:
        run: the run folder.
        names: as from `check_trackers`.

    Returns:
        What went wrong, a sentence each; the run is whole all the same, and the same call tries again.

    Raises:
        LobuleError: the run folder cannot be read.
    """
    known = _read(run / _RECORD)
    problems = []
    tracked = read_tracked(run)
    for name in names:
        if name in known:
            continue
        try:
            known[name] = log_run(tracked) if name == "mlflow" else write_events(tracked, run).name
            write_atomically(run / _RECORD, json.dumps(known, indent=2) + "\n")
        except OSError as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            problems.append(f"--track {name}: {reason}. The run itself is complete; the same command tries again.")
    return problems


def _read(path: Path) -> dict[str, str]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in known.items()} if isinstance(known, dict) else {}
