"""What tables are made of: cells with a value, its interval and what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from lobule.report.numbers import Number

__all__ = ["Bar", "Cell", "Column", "Row", "Table", "difference_cell", "metric_cell"]


@dataclass(frozen=True)
class Bar:
    """An interval drawn on an axis from 0 to 100; missing parts are not drawn."""

    value: float | None
    low: float | None
    high: float | None
    mark: float | None


@dataclass(frozen=True)
class Cell:
    """A cell: its text, quieter lines under it, why something is missing, and an interval to draw."""

    text: str
    notes: tuple[str, ...] = ()
    why: str = ""
    bar: Bar | None = None


@dataclass(frozen=True)
class Column:
    """A column's title and a quieter line under it."""

    title: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A row: its heading and its cells; `strong` rows stand out."""

    header: Cell
    cells: tuple[Cell, ...]
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table; `corner` heads the column of row headings, `shape` tells the style sheet how much room it needs."""

    kind: ClassVar[str] = "table"
    caption: str
    corner: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    shape: Literal["slim", "broad", "rivals"] = "slim"


def metric_cell(
    number: Number, *, usual: str = "", axis: tuple[float, float] | None = None, mark: float | None = None
) -> Cell:
    """Return a metric's cell: value, interval, and its counts where they differ from the column's `usual` ones.

    Args:
        number: the metric.
        usual: counts that need not be repeated.
        axis: ends of the axis that the interval is drawn on; None: it is not drawn.
        mark: value that is marked on the axis, such as what guessing gives.
    """
    differing = number.counts_text if number.value is not None and number.counts_text != usual else ""
    interval = number.interval_text or ("no interval" if number.value is not None else "")
    notes = tuple(part for part in (interval, differing) if part)
    return Cell(number.value_text, notes, number.why, _bar(number, axis, mark) if axis else None)


def difference_cell(number: Number, *, axis: tuple[float, float]) -> Cell:
    """Return a difference's cell: signed value and interval, drawn on an axis with 0 marked."""
    interval = number.span_text or ("no interval" if number.value is not None else "")
    return Cell(number.signed_text, (interval,) if interval else (), number.why, _bar(number, axis, 0.0))


def _bar(number: Number, axis: tuple[float, float], mark: float | None) -> Bar | None:
    if number.value is None:
        return None
    start, end = axis
    value, low, high, place = (
        None if at is None else min(100.0, max(0.0, 100 * (at - start) / (end - start)))
        for at in (number.value, number.low, number.high, mark)
    )
    return Bar(value, low, high, place)
