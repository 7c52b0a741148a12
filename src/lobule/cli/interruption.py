"""Ctrl-C at any moment: one sentence and exit code 130, wherever the signal strikes.

An interruption can come out of an import or a callback as another error, or be lost in a place whose exceptions nobody
takes. So the signal itself is remembered, and raised again where it was lost.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["INTERRUPTED", "end_at_once", "watched"]

_MOMENT = 0.05
INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


@contextmanager
def watched() -> Iterator[Callable[[], bool]]:
    """Raise KeyboardInterrupt on Ctrl-C; yield a function that tells whether it was pressed.

    Where the signal is somebody else's (a parent that ignores it, another thread), nothing changes.
    """
    pressed = threading.Event()

    def press(_: int, __: FrameType | None) -> None:
        pressed.set()
        raise KeyboardInterrupt

    unraisable = sys.unraisablehook

    def not_lost(lost: Any) -> None:
        if pressed.is_set() and issubclass(lost.exc_type, KeyboardInterrupt):
            # A moment later: now it would be raised in this function, and lost again.
            again = threading.Timer(_MOMENT, _thread.interrupt_main)
            again.daemon = True
            again.start()
        else:
            unraisable(lost)

    ours = threading.current_thread() is threading.main_thread() and _is_free(signal.getsignal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, press) if ours else None
    sys.unraisablehook = not_lost
    try:
        yield pressed.is_set
    finally:
        sys.unraisablehook = unraisable
        if ours:
            signal.signal(signal.SIGINT, before)


def end_at_once(code: int) -> None:
    """Let Ctrl-C end the process with a code, without a word: there is nothing to keep, or nothing left to do."""
    if _is_free(signal.getsignal(signal.SIGINT)):
        signal.signal(signal.SIGINT, _Ending(code))


class _Ending:
    def __init__(self, code: int) -> None:
        self.code = code

    def __call__(self, _: int, __: FrameType | None) -> None:
        os._exit(self.code)


def _is_free(handler: Any) -> bool:
    return handler is signal.default_int_handler or isinstance(handler, _Ending)
