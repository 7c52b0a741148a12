"""The folder a run leaves: one place for every result, resumed by the same arguments, refused by others."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import lobule
from lobule.errors import RunError
from lobule.provenance import digest_of_json, environment, now, write_atomically
from lobule.storage import Turn, is_unfinished, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["RunFolder"]

_RECORD = "run.json"
_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RunFolder:
    """A run folder that belongs to one set of arguments.

    Attributes:
        path: the folder.
        record: the content of run.json; written by every method that changes it.
    """

    path: Path
    record: dict[str, Any]
    _turn: Turn = field(default_factory=Turn, repr=False, compare=False)

    @classmethod
    def open(cls, path: Path, arguments: Mapping[str, Any], *, command: str = "") -> RunFolder:
        """Open the run folder that the same arguments have left, or a new one; nothing is written before `note`.

        Args:
            path: the folder.
            arguments: everything that decides the result, as a JSON value.
            command: the command line, for people.

        Raises:
            RunError: the folder belongs to other arguments, or to something else.
        """
        if (path / _RECORD).exists():
            record = cls.read_record(path)
            _refuse_other_arguments(path, record.get("arguments", {}), arguments)
            return cls(path, record)
        if path.exists() and (not path.is_dir() or not all(map(is_unfinished, path.iterdir()))):
            raise RunError(f"--out {path}: exists and is no run folder of Lobule; name a new or empty folder.")
        record = {
            "schema_version": _SCHEMA_VERSION,
            "status": "running",
            "run_id": digest_of_json(arguments)[:12],
            "command": command,
            "arguments": dict(arguments),
            "lobule_version": lobule.__version__,
            "environment": environment(),
            "started": now(),
            "seconds": {},
        }
        return cls(path, record)

    @staticmethod
    def read_record(path: Path) -> dict[str, Any]:
        """Return the content of a run folder's run.json.

        Raises:
            RunError: it is missing or damaged.
        """
        try:
            record = json.loads((path / _RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path}: {_RECORD} cannot be read ({error}); name a folder that `lobule train` left."
            ) from None
        if not isinstance(record, dict):
            raise RunError(f"{path}: {_RECORD} is not a record of a run; name a folder that `lobule train` left.")
        return record

    @property
    def is_done(self) -> bool:
        """Whether the run has finished."""
        return self.record.get("status") == "done"

    @property
    def run_id(self) -> str:
        """Twelve characters that follow from the arguments."""
        return str(self.record["run_id"])

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing to the folder, at the latest from the first fact that is noted here.

        Raises:
            RunError: one is at work in it.
        """
        with self._turn:
            if self.path.is_dir():
                self._take_turn()
            yield

    def _take_turn(self) -> None:
        if not self._turn.take(self.path):
            raise RunError(
                f"--out {self.path}: another process is working in this run folder; wait until it has ended and repeat "
                "the command, or name another folder."
            )
        if (self.path / _RECORD).exists():  # it may have been another's turn since this one looked
            recorded = self.read_record(self.path).get("arguments", {})
            _refuse_other_arguments(self.path, recorded, self.record["arguments"])

    def note(self, **facts: Any) -> None:
        """Add facts to the record.

        Raises:
            RunError: a fact that an earlier start of this run has recorded is another now (the data have changed), or
                another process is at work in the folder.
        """
        self._take_turn()
        for name, value in facts.items():
            if name in self.record and self.record[name] != value:
                raise RunError(
                    f"{self.path}: {name} was {self.record[name]!r} when this run was started and is {value!r} now; "
                    f"restore the data, or start a new run with another --out."
                )
        self.record.update(facts)
        self.save()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Record how many seconds a stage takes."""
        start = time.perf_counter()
        yield
        self.record["seconds"][stage] = round(time.perf_counter() - start, 2)

    def finish(self) -> None:
        """Mark the run as done; what killed starts of it left half written goes."""
        sweep(self.path, "**/.*.tmp")
        self.record.update(status="done", finished=now())
        self.save()

    def save(self) -> None:
        """Write run.json, atomically."""
        write_atomically(self.path / _RECORD, json.dumps(self.record, indent=2, ensure_ascii=False) + "\n")


def _refuse_other_arguments(path: Path, recorded: Mapping[str, Any], received: Mapping[str, Any]) -> None:
    # Through JSON, so that tuples and lists compare equal.
    given = json.loads(json.dumps(received))
    changed = [
        line for name in sorted({*recorded, *given}) for line in _differences(name, recorded.get(name), given.get(name))
    ]
    if changed:
        raise RunError(
            f"--out {path}: belongs to a run with other arguments ({'; '.join(changed)}); repeat those, "
            f"or name another folder."
        )


def _differences(name: str, recorded: Any, received: Any) -> list[str]:
    if isinstance(recorded, dict) and isinstance(received, dict):
        keys = sorted({*recorded, *received})
        return [line for key in keys for line in _differences(f"{name}.{key}", recorded.get(key), received.get(key))]
    return [] if recorded == received else [f"{name} was {recorded!r}, received {received!r}"]
