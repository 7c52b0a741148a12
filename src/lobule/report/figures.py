"""Which figures a report has, and each as a PNG beside a CSV of its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lobule.provenance import write_atomically
from lobule.report.figures_decisions import calibration_sketches, risk_sketches, robustness_sketches
from lobule.report.figures_scores import (
    binary_sketches,
    confusion_sketches,
    learning_sketches,
    split_sketches,
    strata_sketches,
)
from lobule.report.frames_decisions import decisions_of
from lobule.report.inputs import ReportInputs
from lobule.report.sketch import FigureFile, Sketch
from lobule.report.theme import png_of

__all__ = ["write_figures"]


def write_figures(inputs: ReportInputs, folder: Path) -> list[FigureFile]:
    """Draw every figure there are numbers for and write each as PNG and CSV, atomically.

    Args:
        inputs: what the report is drawn from.
        folder: where the files go; made where missing.

    Returns:
        The figures in the order of the page. The same inputs give the same bytes.
    """
    return [_write(sketch, folder) for sketch in _sketches(inputs)]


def _write(sketch: Sketch, folder: Path) -> FigureFile:
    png, csv = folder / f"{sketch.name}.png", folder / f"{sketch.name}.csv"
    write_atomically(png, png_of(sketch.drawing.figure))
    write_atomically(csv, sketch.drawing.numbers.to_csv(index=False, float_format="%.9g", lineterminator="\n"))
    return FigureFile(
        name=sketch.name,
        section=sketch.section,
        title=sketch.title,
        caption=sketch.caption,
        alt=sketch.alt,
        shape=sketch.shape,
        png=png,
        csv=csv,
    )


def _sketches(inputs: ReportInputs) -> Iterator[Sketch]:
    """Yield one figure at a time, so that only one is in memory."""
    decisions = decisions_of(inputs)
    yield from split_sketches(inputs)
    yield from binary_sketches(inputs, decisions)
    yield from calibration_sketches(inputs, decisions)
    yield from risk_sketches(inputs, decisions)
    yield from confusion_sketches(inputs, "subtype")
    yield from strata_sketches(inputs)
    yield from robustness_sketches(inputs)
    yield from learning_sketches(inputs)
