"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[str, int, int], None]
"""Called as `progress(stage, done, total)`; `total` 0 means unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""
