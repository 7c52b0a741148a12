"""What was run, with what, on what: the record beside every result."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lobule.storage import write_durably, writing

__all__ = [
    "cache_folder",
    "digest_of_file",
    "digest_of_json",
    "environment",
    "now",
    "usable_cores",
    "write_atomically",
]

_PACKAGES = (
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "openvino",
    "numpy",
    "pandas",
    "scikit-learn",
    "pillow",
)


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_atomically(path: Path, content: str | bytes | Iterable[bytes]) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part.

    Args:
        path: where; missing folders are made.
        content: text, bytes, or parts of it that need not be in memory all at once.

    Raises:
        StorageError: there is no room, or the place cannot be written to.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, content.encode() if isinstance(content, str) else content)


def cache_folder() -> Path:
    """Return `$LOBULE_CACHE`, else the user's cache folder for Lobule; it need not exist."""
    if configured := os.environ.get("LOBULE_CACHE"):
        return Path(configured)
    from platformdirs import user_cache_path

    return user_cache_path("lobule", appauthor=False)


def usable_cores() -> int:
    """Return the number of cores this process may use, at least 1: fewer than there are where it is pinned."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment() -> dict[str, Any]:
    """Return versions and hardware as a JSON value: python, platform, packages, processor, cores."""
    import platform

    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: version for name in _PACKAGES if (version := _version_of(name))},
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _version_of(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
