"""Remember what decoding told of files that have not changed, so that a second scan or audit opens none of them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lobule.data.images import DECODER
from lobule.data.thumbnails import SIDE, THUMBNAIL
from lobule.provenance import cache_folder, write_atomically
from lobule.storage import sweep

__all__ = ["PixelCache", "Pixels", "Stamp"]

_RULES = f"{DECODER} thumbnail {THUMBNAIL}"
_THUMBNAIL_LENGTH = -(-SIDE * SIDE // 3) * 4


@dataclass(frozen=True)
class Stamp:
    """What tells that a file has not changed: its size in bytes and its time of modification in nanoseconds."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Pixels:
    """What decoding a file tells.

    Attributes:
        sha256: digest of its pixels.
        width: in pixels.
        height: in pixels.
        thumbnail: the SIDE * SIDE bytes of its thumbnail, row by row; empty where it was not opened.
        traits: what the file says beside its pixels, for the audit alone.
    """

    sha256: str
    width: int
    height: int
    thumbnail: bytes = b""
    traits: dict[str, str] = field(default_factory=dict)


class PixelCache:
    """What is known of the files of one data root, kept in one JSON file of the user's cache folder.

    A file that is missing, damaged or of another decoder counts as empty; one that cannot be written is not written:
    a cache never makes a scan fail.

    Args:
        root: the data root.
    """

    def __init__(self, root: Path) -> None:
        name = hashlib.sha256(str(root.absolute()).encode(errors="surrogateescape")).hexdigest()[:32]
        self._file = cache_folder() / "pixels" / f"{name}.json"
        self._entries = _read(self._file)
        self._is_saved = True

    def find(self, path: str, stamp: Stamp) -> Pixels | None:
        """Return what is known of a file (path relative to the root), None when it is new or has changed."""
        entry = self._entries.get(path)
        return _pixels_of(entry) if entry and entry[:2] == [stamp.size, stamp.mtime_ns] else None

    def add(self, path: str, stamp: Stamp, pixels: Pixels) -> None:
        """Remember a file; `save` makes it last."""
        thumbnail = base64.b64encode(pixels.thumbnail).decode()
        measured = [pixels.sha256, pixels.width, pixels.height, thumbnail, pixels.traits]
        self._entries[path] = [stamp.size, stamp.mtime_ns, *measured]
        self._is_saved = False

    def save(self) -> None:
        """Write the cache, atomically, where something is new."""
        if self._is_saved:
            return
        with contextlib.suppress(OSError):
            sweep(self._file.parent, f".{self._file.name}.*.tmp")
            write_atomically(self._file, json.dumps({"rules": _RULES, "files": self._entries}))
            self._is_saved = True


def _read(file: Path) -> dict[str, list[Any]]:
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict) or document.get("rules") != _RULES:
        return {}
    files = document.get("files")
    return {path: entry for path, entry in files.items() if _is_entry(entry)} if isinstance(files, dict) else {}


def _is_entry(entry: Any) -> bool:
    types = (int, int, str, int, int, str, dict)
    return (
        isinstance(entry, list)
        and [*map(type, entry)] == [*types]
        and len(entry[2]) == 64
        and len(entry[5]) == _THUMBNAIL_LENGTH
        and all(isinstance(value, str) for value in entry[6].values())
    )


def _pixels_of(entry: list[Any]) -> Pixels | None:
    try:
        return Pixels(entry[2], entry[3], entry[4], base64.b64decode(entry[5], validate=True), entry[6])
    except ValueError:  # a damaged thumbnail
        return None
