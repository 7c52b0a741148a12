"""What a person sees: results on stdout, progress on stderr, errors in words."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lobule.taxonomy import DISCLAIMER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import Progress as Bars

    from lobule.progress import Progress

__all__ = ["disclaim", "say", "show_json", "show_table", "shown_progress", "warn"]

_SECONDS_BETWEEN_LINES = 5.0


def say(text: str) -> None:
    """Write a line of the result to stdout."""
    print(text)


def warn(text: str) -> None:
    """Write a line to stderr."""
    print(text, file=sys.stderr)


def disclaim() -> None:
    """Say what the output is not for."""
    warn(DISCLAIMER)


def show_json(value: Any) -> None:
    """Write a JSON value to stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout; its first column is text, the others are aligned to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    # A file or a pipe has no width; a table that is read later must not be cut to 80 columns.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Yield a `Progress` that draws bars on a terminal and writes a plain line now and then elsewhere."""
    if sys.stderr.isatty():
        with _bars() as bars:
            yield _on_bars(bars)
    else:
        yield _on_lines()


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Bars(*columns, console=Console(stderr=True))


def _on_bars(bars: Bars) -> Progress:
    tasks: dict[str, Any] = {}

    def progress(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage)
        bars.update(tasks[stage], completed=done, total=total or None)

    return progress


def _on_lines() -> Progress:
    last: dict[str, float] = {}

    def progress(stage: str, done: int, total: int) -> None:
        finished, first = bool(total) and done >= total, stage not in last
        if finished or first or time.monotonic() - last[stage] >= _SECONDS_BETWEEN_LINES:
            last[stage] = time.monotonic()
            warn(f"{stage}: {done}/{total or '?'}")

    return progress
