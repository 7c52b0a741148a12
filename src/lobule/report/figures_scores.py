"""Figures about the split, the scores of both tasks, their strata, and how the heads learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.evaluation.levels import LEVELS, Level
from lobule.evaluation.predictions import Protocol
from lobule.report.frames import curve_arrays, magnification_frame, recall_frame, scored, split_frame
from lobule.report.frames_decisions import case_frame
from lobule.report.inputs import ReportInputs
from lobule.report.numbers import headline_protocol, level_of, number_of, numbers_in
from lobule.report.plots import draw_cases, draw_confusion_matrices, draw_learning_curves, draw_operating_curves
from lobule.report.plots_strata import draw_by_magnification, draw_split, draw_subtype_recall
from lobule.report.sections.thresholds import is_shipped, part_name, threshold_of
from lobule.report.sketch import PROTOCOL_WORDS, Sketch
from lobule.taxonomy import TASKS, Task, classes_of

if TYPE_CHECKING:
    from lobule.evaluation.decision.operating import Decisions

__all__ = ["binary_sketches", "confusion_sketches", "learning_sketches", "split_sketches", "strata_sketches"]

_TASK_WORDS: Final[dict[Task, str]] = {"binary": "benign or malignant", "subtype": "eight subtypes"}


def split_sketches(inputs: ReportInputs) -> Iterator[Sketch]:
    """Yield what each part of the split holds; nothing where the split is not known."""
    if inputs.split is None or inputs.manifest is None:
        return
    unit = inputs.split.group_by
    yield Sketch(
        name="split",
        section="data",
        title="Split",
        caption=f"Images by class (left) and cases by label (right) in every part; divided by {unit}.",
        alt=f"Stacked bars of images and cases in {len(inputs.split.folds)} folds and the two parts of the holdout.",
        drawing=draw_split(split_frame(inputs.manifest, inputs.split)),
    )


def binary_sketches(inputs: ReportInputs, decisions: Decisions | None) -> Iterator[Sketch]:
    """Yield cases, operating curves and confusion matrices of the binary task."""
    protocol = headline_protocol(inputs.metrics.document)
    if protocol is None:
        return
    frame, words = scored(inputs.predictions, protocol), PROTOCOL_WORDS[protocol]
    yield Sketch(
        name="cases_binary",
        section="binary",
        title=f"Every case, {words}",
        caption="Each column is a case: small dots its images, the large mark the case, from the least to the most"
        f" likely malignant. Dashed: the threshold{_of_cases(inputs)}. A ring: a case that was called wrongly."
        f"{_near(inputs)}"
        " A long column is a case whose images disagree.",
        alt=f"Predicted probability of malignancy of {len(frame)} images in {frame['case_id'].nunique()} cases.",
        drawing=draw_cases(
            case_frame(inputs.predictions, decisions, protocol),
            threshold=threshold_of(inputs.metrics.document, "case") or 0.5,
        ),
    )
    yield from _curves(inputs)
    yield from confusion_sketches(inputs, "binary")


def _of_cases(inputs: ReportInputs) -> str:
    document = inputs.metrics.document
    if threshold_of(document) == threshold_of(document, "case"):
        return ""
    return " of cases, as shipped" if is_shipped(inputs) else " of cases, chosen on all of them"


def _near(inputs: ReportInputs) -> str:
    """Say why a mark can stand on the other side of the line than it was called."""
    fitted = numbers_in(inputs.metrics.document, "binary", "threshold", "cross_fitted").get("case")
    if not isinstance(fitted, list) or len(set(fitted)) < 2:
        return ""
    return (
        f" Each {part_name(inputs)} was judged at its own threshold, so that a mark near the line can have been called"
        " otherwise."
    )


def _curves(inputs: ReportInputs) -> Iterator[Sketch]:
    arrays, notes, shares = {}, {}, []
    for protocol in PROTOCOL_WORDS:
        points = curve_arrays(inputs.predictions, protocol)
        if points is not None:
            arrays[protocol] = points
            auroc = number_of(level_of(inputs.metrics.document, "binary", protocol=protocol, level="image"), "auroc")
            notes[protocol] = f"{PROTOCOL_WORDS[protocol]}: AUROC {auroc}"
            shares.append(float((scored(inputs.predictions, protocol)["label"] == "malignant").mean()))
    if arrays:
        yield Sketch(
            name="curves_binary",
            section="binary",
            title="Operating curves, per image",
            caption="Every possible threshold. Dashed: guessing. Intervals resample cases.",
            alt="; ".join(notes.values()),
            drawing=draw_operating_curves(arrays, notes=notes, prevalence=shares[0]),
        )


def confusion_sketches(inputs: ReportInputs, task: Task) -> Iterator[Sketch]:
    """Yield one figure for the binary task, one for each protocol for the subtypes."""
    panels = {
        (protocol, level): matrix
        for protocol in PROTOCOL_WORDS
        for level in (LEVELS if task == "binary" else LEVELS[:1])
        if (matrix := (_level(inputs, task, protocol, level) or {}).get("confusion_matrix"))
    }
    groups = [list(panels)] if task == "binary" else [[key] for key in panels]
    for keys in groups:
        if keys:
            counts = {_panel_name(*key): np.asarray(panels[key]["counts"], dtype=np.int64) for key in keys}
            yield _confusion(task, f"confusion_{task}" + ("" if task == "binary" else f"_{keys[0][0]}"), counts)


def _panel_name(protocol: Protocol, level: Level) -> str:
    return f"{PROTOCOL_WORDS[protocol].capitalize()}, {level}s"


def _level(inputs: ReportInputs, task: Task, protocol: Protocol, level: Level) -> Mapping[str, Any] | None:
    return level_of(inputs.metrics.document, task, protocol=protocol, level=level)


def _confusion(task: Task, name: str, counts: dict[str, NDArray[np.int64]]) -> Sketch:
    of = f", {next(iter(counts)).lower()}" if len(counts) == 1 else ""
    right = [f"{panel}: {int(np.trace(n)):,} of {int(n.sum()):,} on the diagonal" for panel, n in counts.items()]
    return Sketch(
        name=name,
        section=task,
        title=f"Confusion matrix, {_TASK_WORDS[task]}{of}",
        caption="Rows: the true class, adding up to 100 %. Columns: what the model said.",
        alt="; ".join(right),
        drawing=draw_confusion_matrices(counts, labels=classes_of(task)),
        shape="narrow" if task == "subtype" else "wide",
    )


def strata_sketches(inputs: ReportInputs) -> Iterator[Sketch]:
    """Yield the main metrics by magnification and subtype."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    words = PROTOCOL_WORDS[protocol] if protocol else ""
    by_magnification = magnification_frame(document, protocol)
    if len(by_magnification):
        yield Sketch(
            name="by_magnification",
            section="strata",
            title=f"By magnification, {words}, per image",
            caption="Points with 95 % intervals; no line where there is no interval: too few cases, or nothing"
            " that varies.",
            alt="Metrics at each magnification; the table above has the same numbers.",
            drawing=draw_by_magnification(by_magnification),
        )
    recalls = recall_frame(document, protocol)
    if len(recalls):
        yield Sketch(
            name="recall_by_subtype",
            section="strata",
            title=f"By tumour subtype, {words}, per image",
            caption="Left: how often the label was right. Right: how often the subtype was. Lines: 95 % intervals.",
            alt="Recall of each subtype; the table above has the same numbers.",
            drawing=draw_subtype_recall(recalls),
        )


def learning_sketches(inputs: ReportInputs) -> Iterator[Sketch]:
    """Yield the learning curves of each task; nothing where there is no history."""
    if inputs.history is None:
        return
    for task in TASKS:
        history: pd.DataFrame = inputs.history[inputs.history["task"] == task]
        if len(history):
            epoch = inputs.chosen_epochs.get(task)
            yield Sketch(
                name=f"learning_{task}",
                section="learning",
                title=f"Learning curves, {_TASK_WORDS[task]}",
                caption="Loss (cross-entropy) and accuracy after every epoch, on training and on validation images."
                + (" The dashed line is the number of epochs used, chosen over the folds." if epoch else ""),
                alt=f"Loss and accuracy over {int(history['epoch'].max())} epochs.",
                drawing=draw_learning_curves(history, chosen_epoch=epoch),
            )
