"""The machine that a number belongs to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lobule.provenance import environment

__all__ = ["cores", "machine", "precisions"]

_GIB = 2**30


def machine() -> dict[str, Any]:
    """Return versions and hardware, what the processor can compute in, and how busy it was just now, as JSON."""
    return {
        **environment(),
        "usable_cores": cores(),
        "memory_gib": _memory(),
        "precisions": list(precisions()),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def precisions() -> tuple[str, ...]:
    """Return the precisions that OpenVINO has fast arithmetic for on this processor, such as `FP32`, `BF16`, `INT8`."""
    import openvino as ov

    known = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name in known if name in ("FP32", "BF16", "FP16", "INT8"))


def _memory() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((round(int(line.split()[1]) * 1024 / _GIB, 1) for line in lines if line.startswith("MemTotal")), None)
