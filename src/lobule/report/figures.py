"""Which figures a run has, and each as a PNG beside a CSV of its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.evaluation.levels import LEVELS, Level
from lobule.evaluation.predictions import Protocol
from lobule.provenance import write_atomically
from lobule.report.frames import (
    case_frame,
    curve_arrays,
    magnification_frame,
    recall_frame,
    reliability_bins,
    scored,
    split_frame,
)
from lobule.report.inputs import ReportInputs
from lobule.report.numbers import headline_protocol, level_of, number_of
from lobule.report.plots import (
    draw_cases,
    draw_confusion_matrices,
    draw_learning_curves,
    draw_operating_curves,
    draw_reliability,
)
from lobule.report.plots_strata import draw_by_magnification, draw_split, draw_subtype_recall
from lobule.report.story import threshold_of
from lobule.report.theme import Drawing, png_of
from lobule.taxonomy import TASKS, Task, classes_of

__all__ = ["FigureFile", "write_figures"]

Section = Literal["data", "binary", "subtype", "strata", "learning"]
_PROTOCOL_WORDS: dict[Protocol, str] = {"folds": "out of fold", "holdout": "holdout", "predict": "as given"}
_TASK_WORDS: dict[Task, str] = {"binary": "benign or malignant", "subtype": "eight subtypes"}


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
    section: Section
    title: str
    caption: str
    alt: str
    shape: Literal["wide", "narrow", "slim"]
    png: Path
    csv: Path


@dataclass(frozen=True, kw_only=True)
class _Sketch:
    name: str
    section: Section
    title: str
    caption: str
    alt: str
    drawing: Drawing
    shape: Literal["wide", "narrow", "slim"] = "wide"


def write_figures(inputs: ReportInputs, folder: Path) -> list[FigureFile]:
    """Draw every figure this run has numbers for and write each as PNG and CSV, atomically.

    Args:
        inputs: what the report is drawn from.
        folder: where the files go; made where missing.

    Returns:
        The figures in the order of the page. The same inputs give the same bytes.
    """
    return [_write(sketch, folder) for sketch in _sketches(inputs)]


def _write(sketch: _Sketch, folder: Path) -> FigureFile:
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


def _sketches(inputs: ReportInputs) -> Iterator[_Sketch]:
    """Yield one figure at a time, so that only one is in memory."""
    yield _split(inputs)
    yield from _binary(inputs)
    yield from _confusions(inputs, "subtype")
    yield from _strata(inputs)
    yield from _learning(inputs)


def _split(inputs: ReportInputs) -> _Sketch:
    unit = inputs.split.group_by
    return _Sketch(
        name="split",
        section="data",
        title="Split",
        caption=f"Images by class (left) and cases by label (right) in every part; divided by {unit}.",
        alt=f"Stacked bars of images and cases in {len(inputs.split.folds)} folds and the two parts of the holdout.",
        drawing=draw_split(split_frame(inputs.manifest, inputs.split)),
    )


def _binary(inputs: ReportInputs) -> Iterator[_Sketch]:
    protocol = headline_protocol(inputs.metrics.document)
    if protocol is None:
        return
    frame, words = scored(inputs.predictions, protocol), _PROTOCOL_WORDS[protocol]
    yield _Sketch(
        name="cases_binary",
        section="binary",
        title=f"Every case, {words}",
        caption="Each column is a case: small dots its images, the large mark the case, from the least to the most"
        " likely malignant. Dashed: the threshold. Blue above it and vermilion below it are errors; a long column is a"
        " case whose images disagree.",
        alt=f"Predicted probability of malignancy of {len(frame)} images in {frame['case_id'].nunique()} cases.",
        drawing=draw_cases(case_frame(frame), threshold=threshold_of(inputs.metrics.document) or 0.5),
    )
    yield from _curves(inputs)
    yield from _confusions(inputs, "binary")
    ece = number_of(level_of(inputs.metrics.document, "binary", protocol=protocol, level="image"), "ece")
    yield _Sketch(
        name="reliability_binary",
        section="binary",
        title=f"Calibration, {words}",
        caption="Images in bins of predicted probability: where a point lies below the diagonal, the network was too"
        f" sure of malignancy. Expected calibration error {ece} over 15 bins of equal width.",
        alt=f"Predicted probability against observed share of malignant images; expected calibration error {ece}.",
        drawing=draw_reliability(reliability_bins(inputs.predictions, protocol)),
        shape="slim",
    )


def _curves(inputs: ReportInputs) -> Iterator[_Sketch]:
    arrays, notes, shares = {}, {}, []
    for protocol in _PROTOCOL_WORDS:
        points = curve_arrays(inputs.predictions, protocol)
        if points is not None:
            arrays[protocol] = points
            auroc = number_of(level_of(inputs.metrics.document, "binary", protocol=protocol, level="image"), "auroc")
            notes[protocol] = f"{_PROTOCOL_WORDS[protocol]}: AUROC {auroc}"
            shares.append(float((scored(inputs.predictions, protocol)["label"] == "malignant").mean()))
    if arrays:
        yield _Sketch(
            name="curves_binary",
            section="binary",
            title="Operating curves, per image",
            caption="Every possible threshold. Dashed: guessing. Intervals resample cases.",
            alt="; ".join(notes.values()),
            drawing=draw_operating_curves(arrays, notes=notes, prevalence=shares[0]),
        )


def _confusions(inputs: ReportInputs, task: Task) -> Iterator[_Sketch]:
    """Yield one figure for the binary task, one for each protocol for the subtypes."""
    panels = {
        (protocol, level): matrix
        for protocol in _PROTOCOL_WORDS
        for level in (LEVELS if task == "binary" else LEVELS[:1])
        if (matrix := (_level(inputs, task, protocol, level) or {}).get("confusion_matrix"))
    }
    groups = [list(panels)] if task == "binary" else [[key] for key in panels]
    for keys in groups:
        if keys:
            counts = {_panel_name(*key): np.asarray(panels[key]["counts"], dtype=np.int64) for key in keys}
            yield _confusion(task, f"confusion_{task}" + ("" if task == "binary" else f"_{keys[0][0]}"), counts)


def _panel_name(protocol: Protocol, level: Level) -> str:
    return f"{_PROTOCOL_WORDS[protocol].capitalize()}, {level}s"


def _level(inputs: ReportInputs, task: Task, protocol: Protocol, level: Level) -> Mapping[str, Any] | None:
    return level_of(inputs.metrics.document, task, protocol=protocol, level=level)


def _confusion(task: Task, name: str, counts: dict[str, NDArray[np.int64]]) -> _Sketch:
    of = f", {next(iter(counts)).lower()}" if len(counts) == 1 else ""
    right = [f"{panel}: {int(np.trace(n)):,} of {int(n.sum()):,} on the diagonal" for panel, n in counts.items()]
    return _Sketch(
        name=name,
        section=task,
        title=f"Confusion matrix, {_TASK_WORDS[task]}{of}",
        caption="Rows: the true class, adding up to 100 %. Columns: what the model said.",
        alt="; ".join(right),
        drawing=draw_confusion_matrices(counts, labels=classes_of(task)),
        shape="narrow" if task == "subtype" else "wide",
    )


def _strata(inputs: ReportInputs) -> Iterator[_Sketch]:
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    words = _PROTOCOL_WORDS[protocol] if protocol else ""
    by_magnification = magnification_frame(document, protocol)
    if len(by_magnification):
        yield _Sketch(
            name="by_magnification",
            section="strata",
            title=f"By magnification, {words}, per image",
            caption="Points with 95 % intervals; no line where there are too few cases for an interval.",
            alt="Metrics at each magnification; the table above has the same numbers.",
            drawing=draw_by_magnification(by_magnification),
        )
    recalls = recall_frame(document, protocol)
    if len(recalls):
        yield _Sketch(
            name="recall_by_subtype",
            section="strata",
            title=f"By tumour subtype, {words}, per image",
            caption="Left: how often the label was right. Right: how often the subtype was. Lines: 95 % intervals.",
            alt="Recall of each subtype; the table above has the same numbers.",
            drawing=draw_subtype_recall(recalls),
        )


def _learning(inputs: ReportInputs) -> Iterator[_Sketch]:
    for task in TASKS:
        history: pd.DataFrame = inputs.history[inputs.history["task"] == task]
        if len(history):
            epoch = inputs.chosen_epochs.get(task)
            yield _Sketch(
                name=f"learning_{task}",
                section="learning",
                title=f"Learning curves, {_TASK_WORDS[task]}",
                caption="Loss (cross-entropy) and accuracy after every epoch, on training and on validation images."
                + (" The dashed line is the number of epochs used, chosen over the folds." if epoch else ""),
                alt=f"Loss and accuracy over {int(history['epoch'].max())} epochs.",
                drawing=draw_learning_curves(history, chosen_epoch=epoch),
            )
