"""Every file under a folder, once, whatever links and operating systems put there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lobule.data.breakhis import is_image_name
from lobule.data.failures import Failure

__all__ = ["files_under", "is_image_file", "is_skipped", "is_text"]

_SKIPPED_FOLDERS = frozenset({"masks", "__MACOSX", "@eaDir", "$RECYCLE.BIN"})


def files_under(folder: Path, failures: list[Failure]) -> Iterator[str]:
    """Yield the path of every file under a folder, relative to it, with forward slashes.

    Links to folders are followed, each folder once, so that a loop ends. Hidden folders, `masks` (annotations carry
    the names of their images) and folders of operating systems are passed over.

    Args:
        folder: where to look.
        failures: folders that cannot be read are added to it.
    """
    visited: set[str] = set()

    def unreadable(error: OSError) -> None:
        failures.append(Failure(_relative(error.filename, folder), f"folder cannot be read: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not is_skipped(name))
        here = _relative(parent, folder)
        yield from (name if here == "." else f"{here}/{name}" for name in sorted(files))


def is_skipped(folder: str) -> bool:
    """Return whether a folder of this name is passed over."""
    return folder.startswith(".") or folder in _SKIPPED_FOLDERS


def is_image_file(path: str) -> bool:
    """Return whether a path has the extension of an image and is not hidden."""
    return is_image_name(path) and not path.rpartition("/")[2].startswith(".")


def is_text(path: str) -> bool:
    """Return whether a path is valid UTF-8, so that it can be written down."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")
