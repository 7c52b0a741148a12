"""Where a data set is put together, beside the folder it is for, and the record that says it is whole."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lobule.data.breakhis import is_image_name
from lobule.data.get.source import Source, SourceKind
from lobule.errors import ConfigError, DataError
from lobule.provenance import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["RECORD", "Record", "Workplace", "files_in", "n_images_of"]

RECORD = "lobule-source.json"

_FETCHED_BY_FILE = (SourceKind.DRIVE_FOLDER, SourceKind.HUGGING_FACE, SourceKind.BUCKET)


@dataclass(frozen=True)
class Record:
    """What stands beside the data; its presence means that they are whole.

    Attributes:
        source: where they came from, without passwords and tokens.
        source_sha256: digest of the full source.
        got: when, UTC.
        archive_sha256: digest of the archive; "" where there was none.
        n_files: files, without this record and the citation.
        n_images: those of them with the extension of an image.
        schema_version: of this record.
    """

    source: str
    source_sha256: str
    got: str
    archive_sha256: str
    n_files: int
    n_images: int
    schema_version: int = 1


class Workplace:
    """The folder `.DIR.getting-DIGEST` beside DIR: what is downloaded and unpacked there becomes DIR in one step.

    Args:
        to: the folder for the data.
        source: where they come from; another source has another workplace.
    """

    def __init__(self, to: Path, source: Source) -> None:
        self.to, self._source = to, source
        self.folder = to.absolute().parent / f".{to.absolute().name}.getting-{source.digest[:12]}"
        self.downloads = self.folder / "download"
        self.content = self.folder / "content"

    def finished(self) -> Record | None:
        """Return the record of an earlier, whole download of the same source; None when there is work to do.

        Raises:
            ConfigError: the folder holds something else.
            DataError: files have gone since.
        """
        if not self.to.exists() or (self.to.is_dir() and not any(self.to.iterdir())):
            return None
        record = self._record()
        if record is None or record.source_sha256 != self._source.digest:
            held = f"what came from {record.source}" if record else "other files"
            raise ConfigError(f"--to {self.to}: already holds {held}; name a folder that is empty or not there yet.")
        here = len(files_in(self.to))
        if here < record.n_files:
            raise DataError(
                f"--to {self.to}: {record.n_files - here} of {record.n_files} files have gone since they were fetched; "
                "remove the folder and run the same command again."
            )
        return record

    def _record(self) -> Record | None:
        try:
            return Record(**json.loads((self.to / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from working at the same place; the folder is there meanwhile.

        Raises:
            ConfigError: another process does.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("a")
        except OSError as error:
            raise ConfigError(f"--to {self.to}: cannot be written ({error.strerror}); name another folder.") from error
        with lock:
            _lock(lock.fileno(), self.to)
            if self._source.kind in _FETCHED_BY_FILE and self.content.exists() and not self.downloads.exists():
                self.content.rename(self.downloads)  # thousands of files, whole as they are
            shutil.rmtree(self.content, ignore_errors=True)  # what an interrupted unpacking left
            yield

    def publish(self, record: Record, texts: dict[str, str]) -> None:
        """Put the content in its place, with its record, and remove the workplace.

        Args:
            record: says that it is whole.
            texts: further files, by name.

        Raises:
            ConfigError: something else has come there meanwhile.
        """
        for name, text in texts.items():
            write_atomically(self.content / name, text)
        write_atomically(self.content / RECORD, json.dumps(asdict(record), indent=2) + "\n")
        try:
            if self.to.is_dir():
                self.to.rmdir()  # only an empty folder can be removed so
            self.content.rename(self.to)
        except OSError as error:
            raise ConfigError(
                f"--to {self.to}: cannot be put there ({error.strerror}); name another folder."
            ) from error
        shutil.rmtree(self.folder, ignore_errors=True)


def files_in(folder: Path) -> list[Path]:
    """Return every file below a folder but the records, sorted."""
    found = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if path.name not in (RECORD, "CITATION.txt") or path.parent != folder)


def n_images_of(files: list[Path]) -> int:
    """Count files that have the extension of an image and are not hidden."""
    return sum(is_image_name(path.name) and not path.name.startswith(".") for path in files)


def _lock(descriptor: int, to: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: no lock; a file that is open there cannot be replaced by another process
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ConfigError(f"--to {to}: another process is getting the same data; wait for it to end.") from None
