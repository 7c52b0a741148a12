"""Every metric of both tasks, and by magnification and subtype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lobule.evaluation.levels import LEVELS, Level
from lobule.evaluation.predictions import Protocol
from lobule.report.blocks import Block, Footnote, Plots, Section
from lobule.report.cells import Cell, Column, Row, Table, metric_cell
from lobule.report.numbers import (
    METRIC_NAMES,
    class_number,
    headline_protocol,
    level_of,
    magnification_name,
    magnifications_of,
    number_of,
)
from lobule.report.sections.sources import sources_table
from lobule.report.theme import display_name
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPES, Task

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = ["INTERVAL_NOTE", "magnification_table", "metrics_table", "score_section", "strata_section", "subtypes_table"]

INTERVAL_NOTE: Final = (
    "Under each value: its 95\u00a0% interval, resampling cases. A dash: not defined, or too few cases. “No interval”:"
    " fewer than 5 cases in a class that the metric needs, or nothing that varies (such as no error at all); the"
    " calibration error (ECE) has none. Columns name the images and cases behind their numbers;"
    " a cell that rests on others names its own."
)
_SOURCE_NOTE: Final = (
    "Images that are stored otherwise often came another way from the microscope, or from other magnifications: a"
    " difference can be the way, not the tissue."
)
_MAGNIFICATION_METRICS: Final[dict[Task, tuple[str, ...]]] = {
    "binary": ("auroc", "balanced_accuracy", "recall", "specificity"),
    "subtype": ("balanced_accuracy", "accuracy", "macro_f1"),
}
_PROTOCOL_NAMES: Final[dict[Protocol, str]] = {"folds": "Out of fold", "holdout": "Holdout", "predict": "As given"}


def score_section(inputs: ReportInputs, task: Task) -> Section | None:
    """Return every metric of a task; None where nothing was scored."""
    name, caption = {
        "binary": ("Benign or malignant", "All metrics; positive class: malignant"),
        "subtype": ("The eight subtypes", "All metrics, eight classes"),
    }[task]
    table = metrics_table(inputs.metrics.document, task, caption=caption)
    if table is None:
        return None
    return Section(
        task, name.removeprefix("The eight ").capitalize(), name, (table, Footnote(INTERVAL_NOTE), Plots(task))
    )


def strata_section(inputs: ReportInputs) -> Section | None:
    """Return the main metrics by magnification and subtype; None where neither is known."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    if protocol is None:
        return None
    binary = level_of(document, "binary", protocol=protocol, level="image")
    subtype = level_of(document, "subtype", protocol=protocol, level="image")
    tables = (
        magnification_table(binary or {}, "binary", caption="Benign or malignant by magnification, per image"),
        magnification_table(subtype or {}, "subtype", caption="Eight subtypes by magnification, per image"),
        subtypes_table(binary, subtype, caption="By tumour subtype, per image"),
    )
    blocks: list[Block] = [table for table in tables if table]
    if (by_source := sources_table(inputs)) is not None:
        blocks += [by_source, Footnote(_SOURCE_NOTE)]
    return (
        Section("strata", "Strata", "By magnification, subtype and source", (*blocks, Plots("strata")))
        if blocks
        else None
    )


def metrics_table(document: Mapping[str, Any], task: Task, *, caption: str) -> Table | None:
    """Return every metric of a task: a row a metric, a column for images and cases of each protocol."""
    levels = {}
    for protocol, name in _PROTOCOL_NAMES.items():
        for unit in LEVELS:
            values = level_of(document, task, protocol=protocol, level=unit)
            if values is not None:
                levels[f"{name}, per {_unit_name(task, unit)}"] = values
    if not levels:
        return None
    usual = {title: _usual_counts(values) for title, values in levels.items()}
    rows = [
        Row(Cell(name), tuple(metric_cell(number_of(level, metric), usual=usual[t]) for t, level in levels.items()))
        for metric, name in METRIC_NAMES.items()
        if any(metric in level for level in levels.values())
    ]
    columns = tuple(Column(title, usual[title]) for title in levels)
    return Table(caption, "Metric", columns, tuple(rows), "broad")


def _unit_name(task: Task, unit: Level) -> str:
    return "case and subtype" if task == "subtype" and unit == "case" else unit


def _usual_counts(values: Mapping[str, Any]) -> str:
    texts = [number_of(values, metric).counts_text for metric in METRIC_NAMES if metric in values]
    known = [text for text in texts if text]
    return max(known, key=known.count) if known else ""


def magnification_table(values: Mapping[str, Any], task: Task, *, caption: str) -> Table | None:
    """Return the main metrics by magnification, per image; None where no magnification is known."""
    metrics = _MAGNIFICATION_METRICS[task]
    rows = [_magnification_row(key, stratum, metrics) for key, stratum in magnifications_of(values)]
    if not any(key.isdigit() for key, _ in magnifications_of(values)):
        return None
    columns = tuple(Column(METRIC_NAMES[name]) for name in metrics)
    return Table(caption, "Magnification", columns, tuple(rows)) if rows else None


def _magnification_row(key: str, stratum: Mapping[str, Any], metrics: Sequence[str]) -> Row:
    usual = _usual_counts(stratum)
    cells = tuple(metric_cell(number_of(stratum, name), usual=usual) for name in metrics)
    return Row(Cell(magnification_name(key), (usual,)), cells)


def subtypes_table(
    binary: Mapping[str, Any] | None, subtype: Mapping[str, Any] | None, *, caption: str
) -> Table | None:
    """Return, for each tumour subtype, how often label and subtype were right, per image."""
    by_subtype: Mapping[str, Any] = (binary or {}).get("by_subtype") or {}
    per_class: Mapping[str, Any] = (subtype or {}).get("per_class") or {}
    rows = [
        _subtype_row(name, by_subtype.get(name) or {}, per_class.get(name) or {}, bool(per_class))
        for name in SUBTYPES
        if by_subtype.get(name) or (per_class.get(name) or {}).get("n_images")
    ]
    titles = ["Right label", *(["Precision", "Recall", "F1"] if per_class else [])]
    notes = ["benign or malignant", *(["of the subtype"] * 3 if per_class else [])]
    columns = tuple(Column(title, note) for title, note in zip(titles, notes, strict=True))
    return Table(caption, "Subtype", columns, tuple(rows)) if rows else None


def _subtype_row(name: str, stratum: Mapping[str, Any], scores: Mapping[str, Any], with_scores: bool) -> Row:
    right = number_of(stratum, "accuracy")
    numbers = [class_number(scores, metric) for metric in ("precision", "recall", "f1")]
    usual = right.counts_text or numbers[0].counts_text
    cells = [metric_cell(right, usual=usual)]
    if with_scores:
        cells += [metric_cell(number, usual=usual) for number in numbers]
    return Row(Cell(display_name(name).capitalize(), (f"{LABEL_OF_SUBTYPE[name]} · {usual}",)), tuple(cells))
