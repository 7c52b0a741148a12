"""Work with something wrong with it, for tests of real workers: they import this module by its name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lobule.scale.work import Answering

__all__ = ["Blind", "Broken", "Poisonous", "Slow"]

Perform = Callable[[Sequence[Any]], list[Any]]


@dataclass(frozen=True)
class Slow(Answering):
    """So slow, 30 ms an image, that there is time to kill a worker now and then."""

    def open(self) -> Perform:
        perform = super().open()

        def slowly(asked: Sequence[Any]) -> list[Any]:
            time.sleep(0.03 * len(asked))
            return perform(asked)

        return slowly


@dataclass(frozen=True)
class Poisonous(Answering):
    """Kills its process where it meets an image called `poison`."""

    def open(self) -> Perform:
        perform = super().open()

        def dying(asked: Sequence[Any]) -> list[Any]:
            if any("poison" in question.stamp.path for (_, question), _ in asked):
                os.kill(os.getpid(), signal.SIGKILL)
            return perform(asked)

        return dying


@dataclass(frozen=True)
class Blind(Answering):
    """Sees no file, as on a computer without the shared file system."""

    def open(self) -> Perform:
        perform = super().open()

        def blindly(asked: Sequence[Any]) -> list[Any]:
            carried = [(item, given) for item, given in asked if given is not None]
            done = iter(perform(carried))
            return [None if given is None else next(done) for _, given in asked]

        return blindly


@dataclass(frozen=True)
class Broken(Answering):
    """Raises what nobody expects."""

    def open(self) -> Perform:
        def failing(_: Sequence[Any]) -> list[Any]:
            raise ZeroDivisionError("a mistake of ours")

        return failing
