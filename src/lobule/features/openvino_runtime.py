"""The one door to OpenVINO: imported late, and without its conversion tools.

These would be imported with it, take half of the time, and report the start of every program to their maker unless the
user has opted out. What a hospital's machine computes is nobody's business, so they are imported when something is
converted, and their reporting never.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = ["import_openvino"]

_TOOLS = "openvino.tools.ovc"
_TELEMETRY = "openvino_telemetry"
_lock = threading.Lock()


def import_openvino() -> ModuleType:
    """Import OpenVINO; in a process that has it already, it is left as it is."""
    with _lock:
        if "openvino" in sys.modules:
            import openvino
        else:
            with _hidden(_TOOLS):
                import openvino
            if not hasattr(openvino, "convert_model"):
                openvino.convert_model = _convert_model
    return openvino  # type: ignore[no-any-return]


def _convert_model(*arguments: Any, **settings: Any) -> Any:
    """Do what `openvino.convert_model` does, for others in this process who count on it."""
    with _hidden(_TELEMETRY):
        from openvino.tools.ovc import convert_model
    return convert_model(*arguments, **settings)


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Let imports of a module fail as if it were not installed, which those who import it provide for."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
