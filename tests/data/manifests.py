"""Manifests of a few rows, and the files that belong to them, made where a test needs them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lobule.config import DataSettings
from lobule.data.breakhis import parse_name
from lobule.data.manifest import Manifest
from lobule.data.scan import scan

__all__ = ["named", "scanned"]


def named(*names: str) -> Manifest:
    """Make a manifest of BreakHis names alone."""
    rows: list[dict[str, Any]] = []
    for name in names:
        parsed = parse_name(name)
        assert parsed
        rows.append({**asdict(parsed), "path": name})
    return Manifest.from_rows(rows, root=Path())


def scanned(folder: Path) -> Manifest:
    """Return the manifest of a folder, whether cases are known or not."""
    return scan(folder, settings=DataSettings(group="image")).manifest
