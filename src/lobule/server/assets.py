"""The files of the pages, read once at the start: what a client asks for is a key, never a path on disk."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

__all__ = ["Asset", "load_assets"]

_TYPES: Final = {".js": "text/javascript", ".mjs": "text/javascript", ".md": "text/plain", ".woff2": "font/woff2"}
_TEXT: Final = ("text/", "application/json", "image/svg+xml")


@dataclass(frozen=True)
class Asset:
    """A file as it is sent: its bytes, media type and entity tag."""

    content: bytes
    media_type: str
    etag: str


def load_assets(folder: str) -> Mapping[str, Asset]:
    """Return the files of a folder of this package, by relative path; none where there is no such folder."""
    found: dict[str, Asset] = {}
    root = resources.files("lobule.server") / folder
    if root.is_dir():
        _collect(root, "", found)
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            _collect(entry, f"{prefix}{entry.name}/", found)
        else:
            content = entry.read_bytes()
            found[f"{prefix}{entry.name}"] = Asset(content, _type_of(entry.name), _tag(content))


def _type_of(name: str) -> str:
    suffix = f".{name.rpartition('.')[2]}"
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith(_TEXT) else kind


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
