"""An append-only record of every answer: time, digest of the image, model, what was said."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lobule.errors import ConfigError
from lobule.provenance import now

__all__ = ["AuditLog"]


class AuditLog:
    """A file that only grows, one JSON object a line.

    Args:
        path: the file; made, readable for its owner alone, where it is missing.
        model_id: of the model that answers.

    Raises:
        ConfigError: it cannot be written to.
    """

    def __init__(self, path: Path, *, model_id: str) -> None:
        self._model_id = model_id
        self._lock = threading.Lock()
        self._torn = False
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"--audit-log {path}: cannot be written to ({error.strerror}).") from None

    def record(self, answers: Iterable[Mapping[str, Any]]) -> None:
        """Append answers and wait until they are on the disk.

        Raises:
            OSError: they could not be written; a part of a line may have been, and is ended before the next.
        """
        at = now()
        lines = [json.dumps({"time": at, "model_id": self._model_id, **answer}) for answer in answers]
        content = "".join(f"{line}\n" for line in lines).encode()
        with self._lock:
            if self._torn:
                content = b"\n" + content
            self._torn = True
            left = memoryview(content)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
            self._torn = False

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
