"""A figure before and after it is on disk, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lobule.evaluation.predictions import Protocol
from lobule.report.theme import Drawing

__all__ = ["PROTOCOL_WORDS", "FigureFile", "Sketch"]

Place = Literal["data", "binary", "calibration", "abstention", "subtype", "strata", "robustness", "learning"]
Shape = Literal["wide", "narrow", "slim"]

PROTOCOL_WORDS: Final[dict[Protocol, str]] = {"folds": "out of fold", "holdout": "holdout", "predict": "as given"}


@dataclass(frozen=True, kw_only=True)
class FigureFile:
    """A figure on disk and what is said about it.

    Args:
        name: file name without extension.
        section: part of the page it belongs to.
        title: what it is, a few words.
        caption: how to read it.
        alt: what a reader who cannot see it should know.
        shape: how wide it stands on the page.
        png: the picture.
        csv: the numbers in it.
    """

    name: str
    section: Place
    title: str
    caption: str
    alt: str
    shape: Shape
    png: Path
    csv: Path


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """A figure in memory; the fields are those of the file it becomes."""

    name: str
    section: Place
    title: str
    caption: str
    alt: str
    drawing: Drawing
    shape: Shape = "wide"
