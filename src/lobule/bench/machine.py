"""The machine that a number belongs to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from lobule.features.openvino_engine import precisions
from lobule.provenance import environment, usable_cores

__all__ = ["Others", "machine"]

_GIB = 2**30


def machine() -> dict[str, Any]:
    """Return versions and hardware, what the processor can compute in, and how busy it was just now, as JSON."""
    return {
        **environment(),
        "usable_cores": usable_cores(),
        "memory_gib": _memory(),
        "precisions": list(precisions()),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


class Others:
    """How many cores other processes (and the host) keep busy, on average since this was made."""

    def __init__(self) -> None:
        self._start = self._marks()

    def busy_cores(self) -> float | None:
        """Return the number of cores; None where the system does not tell. Children count once they have ended."""
        if self._start is None or (now := self._marks()) is None:
            return None
        wall, busy, own = (after - before for after, before in zip(now, self._start, strict=True))
        return max(0.0, (busy - own) / wall)

    def _marks(self) -> tuple[float, float, float] | None:
        """Return seconds: of the clock, of all processes, of this one with the children that have ended."""
        try:
            ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        idle, waiting = ticks[3:5]
        busy = (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), busy, sum(os.times()[:4])


def _memory() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((round(int(line.split()[1]) * 1024 / _GIB, 1) for line in lines if line.startswith("MemTotal")), None)
