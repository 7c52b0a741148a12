"""Workers as Ray actors, one processor each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import lobule
from lobule import errors
from lobule.errors import LobuleError, RunError
from lobule.scale import host
from lobule.scale.schedule import WorkerDiedError
from lobule.scale.work import carried

__all__ = ["RayCrew", "Work"]

_SAME: Final = ("lobule", "openvino", "pillow", "numpy")
"""What must have one version everywhere for answers to be the same."""

_PATIENCE: Final = 600.0
"""Seconds that a cluster has to start its first worker, or a new one when all are gone."""

_log = logging.getLogger(__name__)


class Work(Protocol):
    """What workers are given to do; it is pickled."""

    def file_of(self, item: Any) -> Path:
        """Return where the image of an item lies."""
        ...

    def open(self) -> Any:
        """Open it, in a worker; return what does a list of items, each with what is carried beside it."""
        ...


class RayCrew:
    """A crew in a cluster that this process is connected to; see `lobule.scale.schedule.Crew`.

    A place whose worker does not see an image's file is sent bytes from then on.

    Args:
        work: what is to be done.
        size: number of workers.
    """

    def __init__(self, work: Work, *, size: int) -> None:
        import ray

        self.size = size
        self._ray, self._work = ray, work
        self._shipped = ray.put(work)
        self._expected = host.installed(_SAME) | {"lobule": lobule.__version__}
        ray.cloudpickle.register_pickle_by_value(host)
        self._actor: Any = ray.remote(num_cpus=1, max_restarts=0)(host.Host)
        self._workers: dict[int, Any] = {}
        self._is_blind = [False] * size

    def start(self, slot: int) -> object:
        """Start a worker; one that is there is killed first."""
        self._kill(slot)
        self._workers[slot] = self._actor.remote()
        return self._workers[slot].open.remote(self._expected, [self._shipped])

    def send(self, slot: int, items: Sequence[Any]) -> object:
        """Ask a worker to do items."""
        blind = self._is_blind[slot]
        return self._workers[slot].perform.remote(
            [(item, carried(self._work.file_of(item)) if blind else None) for item in items]
        )

    def wait(self, tokens: Sequence[object], *, starting: bool) -> object:
        """Return a token that is done or whose worker is dead."""
        done, _ = self._ray.wait(list(tokens), num_returns=1, timeout=_PATIENCE if starting else None)
        if not done:
            free = self._ray.available_resources().get("CPU", 0)
            raise RunError(
                f"--ray: no worker could be started in {_PATIENCE:.0f} s; {free:g} processors of the cluster are free. "
                "See `ray status` for what occupies it, then repeat the command: what was finished is kept."
            )
        return done[0]

    def result(self, slot: int, token: object) -> Sequence[Any]:
        """Return the results of a token."""
        exceptions = self._ray.exceptions
        try:
            kind, *told = self._ray.get(token)
        except exceptions.RayTaskError as error:
            last = str(error).strip().splitlines()[-1]
            raise RunError(f"--ray: a worker failed: {last}; run the command without --ray to see it here.") from None
        except exceptions.RayError as error:
            raise WorkerDiedError(_first_line(error)) from None
        if kind == "trouble":
            raise _error(*told)
        if isinstance(told[0], int):
            _log.info("worker %d has started: process %d", slot, told[0])
            return ()
        if any(result is None for result in told[0]):
            self._is_blind[slot] = True
        results: Sequence[Any] = told[0]
        return results

    def close(self) -> None:
        """End all workers."""
        for slot in list(self._workers):
            self._kill(slot)

    def _kill(self, slot: int) -> None:
        worker = self._workers.pop(slot, None)
        if worker is not None:
            self._ray.kill(worker)


def _error(name: str, message: str) -> LobuleError:
    known: type[LobuleError] = getattr(errors, name, RunError)
    if known is errors.MissingExtraError or not issubclass(known, LobuleError):
        known = RunError
    return known(f"--ray: a worker says: {message}" if known is not errors.DataError else message)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
