"""Whether what a command will write can be written, asked before the work instead of after it."""

from __future__ import annotations

import os
from pathlib import Path

from lobule.errors import ConfigError

__all__ = ["writable_file", "writable_folder"]


def writable_file(option: str, path: Path) -> Path:
    """Return the path of a file to be.

    Args:
        option: its name on the command line, such as `--out`.
        path: where it will be written.

    Raises:
        ConfigError: it is a folder, or cannot be written where it is.
    """
    if path.is_dir():
        raise ConfigError(f"{option} {path}: expected a file such as {path / 'NAME'}, received a folder.")
    _check(option, path, path.parent)
    return path


def writable_folder(option: str, path: Path) -> Path:
    """Return the path of a folder to be; it may be there already.

    Args:
        option: its name on the command line, such as `--out`.
        path: the folder.

    Raises:
        ConfigError: it is a file, or cannot be written to.
    """
    _check(option, path, path)
    return path


def _check(option: str, path: Path, folder: Path) -> None:
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if os.path.lexists(parent))
    if not nearest.is_dir():
        raise ConfigError(f"{option} {path}: {nearest} is a file, so nothing can be written in it; name another place.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{option} {path}: you may not write to {nearest}; name a folder that you may write to.")
