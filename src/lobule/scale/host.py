"""The process of a worker: it says what is installed beside it, opens the work, and does what it is asked.

Ray carries this module to workers by value, and it imports nothing of Lobule before it has compared versions: a worker
with another Lobule, or none, can say so instead of failing to unpickle.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

__all__ = ["Host", "installed"]


def installed(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages; Lobule's as it states it itself, for it may be run from its sources."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        if name == "lobule":
            import lobule

            return lobule.__version__
        return metadata.version(name)
    except (ImportError, metadata.PackageNotFoundError):
        return "not installed"


class Host:
    """One worker. What it returns is `("done", value)` or `("trouble", name of an error, message)`."""

    def __init__(self) -> None:
        self._perform: Callable[[Any], Any] | None = None

    def open(self, expected: Mapping[str, str], boxed: Sequence[Any]) -> tuple[Any, ...]:
        """Compare versions, fetch the work and open it.

        Args:
            expected: what must be installed, and in which version.
            boxed: a list of one reference to the work, so that it is not fetched before versions are compared.
        """
        found = installed(list(expected))
        wrong = [
            f"{name} {found[name]} where {wanted} is expected"
            for name, wanted in expected.items()
            if found[name] != wanted
        ]
        if wrong:
            return ("trouble", "ConfigError", f"has {', '.join(wrong)}: install the same versions on every computer")
        import ray

        return self._guarded(self._open, lambda: ray.get(boxed[0]))

    def perform(self, payload: Sequence[Any]) -> tuple[Any, ...]:
        """Do some items."""
        assert self._perform is not None, "open comes first"
        return self._guarded(self._perform, lambda: payload)

    def _open(self, work: Any) -> int:
        self._perform = work.open()
        return os.getpid()

    @staticmethod
    def _guarded(do: Callable[[Any], Any], argument: Callable[[], Any]) -> tuple[Any, ...]:
        from lobule.errors import LobuleError

        try:
            return ("done", do(argument()))
        except LobuleError as error:
            return ("trouble", type(error).__name__, str(error))
