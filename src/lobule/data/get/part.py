"""A download that is not whole yet, and what must be known of it to go on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lobule.provenance import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Note", "Part"]


@dataclass(frozen=True)
class Note:
    """What a server said of the file whose beginning is in a part.

    Attributes:
        validator: its strong ETag, else its Last-Modified; "" where it gave neither.
        total: bytes of the whole; None where it did not say.
    """

    validator: str = ""
    total: int | None = None


class Part:
    """The part of a file, `NAME.part`, and its note, `NAME.part.json`.

    Args:
        file: where the whole file will be.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.path = file.with_name(f"{file.name}.part")
        self._note_path = file.with_name(f"{file.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def note(self) -> Note:
        """What is known of the whole; an unreadable note is none."""
        try:
            return Note(**json.loads(self._note_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Note()

    def begin(self, note: Note) -> None:
        """Throw away what is here; the note stands before the first byte does."""
        self.path.unlink(missing_ok=True)
        write_atomically(self._note_path, json.dumps(asdict(note)))

    def discard(self) -> None:
        """Remove part and note."""
        self.path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Make the part the whole file."""
        self.path.replace(self.file)
        self._note_path.unlink(missing_ok=True)
