"""Every error that Lobule raises on purpose.

    LobuleError                 exit code 1
    ├── ConfigError             a setting or argument is not allowed
    ├── DataError               a data set cannot be used
    │   ├── ImageError          one file cannot be used as an image
    │   ├── StorageError        the disk has no room, or cannot be written to (an OSError, too)
    │   └── SplitError          the cases cannot be divided as asked
    │       └── LeakageError    a case stands on both sides of a split (exit code 3)
    ├── MissingExtraError       an optional dependency is not installed
    ├── WeightsError            pretrained weights cannot be had or do not fit
    ├── RunError                a run folder cannot be used as asked
    └── VerificationError       a model or file is not what it claims to be (exit code 4)

A message names the argument, what is allowed, what was received and what to do next.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "DataError",
    "ImageError",
    "LeakageError",
    "LobuleError",
    "MissingExtraError",
    "RunError",
    "SplitError",
    "StorageError",
    "VerificationError",
    "WeightsError",
]


class LobuleError(Exception):
    """Base of every error that Lobule raises on purpose; `exit_code` is what the command line returns."""

    exit_code: int = 1


class ConfigError(LobuleError):
    """A setting or argument is not allowed."""


class DataError(LobuleError):
    """A data set cannot be used."""


class ImageError(DataError):
    """One file cannot be used as an image; the message is the reason, without the path."""


class StorageError(DataError, OSError):
    """The disk has no room, or cannot be written to; an OSError too, so that what can do without the file goes on."""


class SplitError(DataError):
    """The cases cannot be divided as asked."""


class LeakageError(SplitError):
    """A case stands on both sides of a split."""

    exit_code = 3


class MissingExtraError(LobuleError):
    """An optional dependency is not installed.

    Args:
        purpose: what needs it, e.g. "training a model".
        extra: the extra that brings it, e.g. "train".
    """

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f'{purpose} needs the optional extra "{extra}": pip install "lobule[{extra}]"')
        self.extra = extra


class WeightsError(LobuleError):
    """Pretrained weights cannot be had, or do not fit the backbone."""


class RunError(LobuleError):
    """A run folder cannot be used as asked."""


class VerificationError(LobuleError):
    """A model or file is not what it claims to be."""

    exit_code = 4
