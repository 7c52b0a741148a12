"""Tables of the page, ready to be laid out: what stands in each cell, beside it and under it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from lobule.evaluation.levels import LEVELS, Level
from lobule.evaluation.predictions import Protocol
from lobule.report.numbers import (
    METRIC_NAMES,
    Number,
    class_number,
    level_of,
    magnification_name,
    magnifications_of,
    number_of,
    percent,
)
from lobule.report.theme import display_name
from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS, MAGNIFICATIONS, SUBTYPES, Task

if TYPE_CHECKING:
    from lobule.data.audit import Audit

__all__ = [
    "CONTROL_NAMES",
    "Bar",
    "Cell",
    "Column",
    "Row",
    "Table",
    "data_table",
    "imbalance_table",
    "magnification_table",
    "metrics_table",
    "rivals_table",
    "split_table",
    "subtypes_table",
]

CONTROL_NAMES: Final = {
    "plain_recipe": ("Plain recipe", "logistic regression on the same features, same folds"),
    "colour_only": ("Colour only", "15 colour numbers an image, no morphology"),
    "majority": ("Majority", "always the more frequent class"),
    "permuted_labels": ("Shuffled labels", "the same model with the cases' labels permuted"),
    "image_split": ("Split by image", "the same model, leaking; shows by how much that inflates"),
}
"""Control in metrics.json -> its name and what it is."""

_MAGNIFICATION_METRICS: Final[dict[Task, tuple[str, ...]]] = {
    "binary": ("auroc", "balanced_accuracy", "recall", "specificity"),
    "subtype": ("balanced_accuracy", "accuracy", "macro_f1"),
}
_PROTOCOL_NAMES: Final[dict[Protocol, str]] = {"folds": "Out of fold", "holdout": "Holdout", "predict": "As given"}
_IMBALANCES_SHOWN: Final = 10
_CHANCE: Final = {"auroc": 0.5, "balanced_accuracy": 0.5}


@dataclass(frozen=True)
class Bar:
    """An interval drawn on an axis from 0 to 100; missing parts are not drawn."""

    value: float | None
    low: float | None
    high: float | None
    chance: float | None


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

    caption: str
    corner: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    shape: Literal["slim", "broad", "rivals"] = "slim"


def metric_cell(
    number: Number, *, usual: str = "", axis: tuple[float, float] | None = None, chance: float = -1
) -> Cell:
    """Return a metric's cell: value, interval, and its counts where they differ from the column's `usual` ones."""
    differing = number.counts_text if number.value is not None and number.counts_text != usual else ""
    interval = number.interval_text or ("no interval" if number.value is not None else "")
    notes = tuple(part for part in (interval, differing) if part)
    return Cell(number.value_text, notes, number.why, _bar(number, axis, chance) if axis else None)


def _bar(number: Number, axis: tuple[float, float], chance: float) -> Bar | None:
    if number.value is None:
        return None
    start, end = axis
    value, low, high, mark = (
        None if at is None else min(100.0, max(0.0, 100 * (at - start) / (end - start)))
        for at in (number.value, number.low, number.high, chance if chance >= 0 else None)
    )
    return Bar(value, low, high, mark)


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


def rivals_table(document: Mapping[str, Any], *, protocol: Protocol) -> Table | None:
    """Return the model beside its controls on the same folds; None without controls."""
    controls = document.get("controls") or {}
    if not controls:
        return None
    asked = _rival_columns(document, protocol)
    rows = [Row(Cell("This model"), tuple(_rival_cell(document, *key, protocol) for key in asked), strong=True)]
    for name in sorted(controls, key=_control_order):
        title, note = CONTROL_NAMES.get(name, (display_name(name).capitalize(), ""))
        cells = tuple(_rival_cell(controls[name], *key, protocol) for key in asked)
        rows.append(Row(Cell(title, (note,) if note else ()), cells))
    columns = tuple(
        Column(
            METRIC_NAMES[metric],
            "eight subtypes, per image; axis 0–1" if task == "subtype" else f"per {unit}; axis 0.4–1",
        )
        for task, unit, metric in asked
    )
    caption = "Beside simpler rivals: the same images, the same split. Dotted mark: guessing"
    return Table(caption, "Classifier", columns, tuple(rows), "rivals")


def _rival_columns(document: Mapping[str, Any], protocol: Protocol) -> list[tuple[Task, Level, str]]:
    columns: list[tuple[Task, Level, str]] = [
        ("binary", "image", "auroc"),
        ("binary", "case", "auroc"),
        ("binary", "image", "balanced_accuracy"),
        ("subtype", "image", "balanced_accuracy"),
    ]
    return [
        (task, unit, metric)
        for task, unit, metric in columns
        if level_of(document, task, protocol=protocol, level=unit) is not None
    ]


def _rival_cell(document: Mapping[str, Any], task: Task, unit: Level, metric: str, protocol: Protocol) -> Cell:
    number = number_of(level_of(document, task, protocol=protocol, level=unit), metric)
    axis, chance = ((0.0, 1.0), 1 / len(SUBTYPES)) if task == "subtype" else ((0.4, 1.0), _CHANCE[metric])
    return metric_cell(number, usual=number.counts_text, axis=axis, chance=chance)


def _control_order(name: str) -> tuple[int, str]:
    known = list(CONTROL_NAMES)
    return (known.index(name) if name in known else len(known), name)


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


def data_table(frame: pd.DataFrame) -> Table:
    """Return how many images there are of each class at each magnification, and of how many cases.

    Args:
        frame: rows of a manifest.
    """
    known = [value for value in MAGNIFICATIONS if (frame["magnification"] == value).any()]
    others = sorted(set(frame["magnification"].dropna().astype(int)) - set(known))
    has_unknown = bool((known or others) and frame["magnification"].isna().any())
    magnifications = [*known, *others, *([None] if has_unknown else [])]
    rows = [_data_row(name, part, magnifications) for name, part in _classes(frame)]
    for label in LABELS:
        part = frame[frame["label"] == label]
        rows.append(_data_row(f"All {label}", part, magnifications, strong=True))
    rows.append(_data_row("All", frame, magnifications, strong=True))
    titles = ["Magnification not known" if value is None else f"{value}X" for value in magnifications]
    columns = tuple(Column(title) for title in (*titles, "Images", "Cases"))
    return Table("Images by class and magnification, and the cases they come from", "Class", columns, tuple(rows))


def _classes(frame: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    for name in SUBTYPES:
        part = frame[frame["subtype"] == name]
        if len(part):
            yield display_name(name).capitalize(), part
    for label in LABELS:
        part = frame[(frame["label"] == label) & ~frame["subtype"].isin(SUBTYPES)]
        if len(part) and frame["subtype"].isin(SUBTYPES).any():
            yield f"{label.capitalize()}, subtype not known", part


def _data_row(name: str, part: pd.DataFrame, magnifications: Sequence[int | None], *, strong: bool = False) -> Row:
    at = part["magnification"]
    numbers = [int(at.isna().sum() if value is None else (at == value).sum()) for value in magnifications]
    texts = [f"{number:,}" if number else "–" for number in (*numbers, len(part), part["case_id"].nunique())]
    return Row(Cell(name), tuple(Cell(text) for text in texts), strong)


def imbalance_table(audit: Audit) -> Table | None:
    """Return what is not tissue but could tell the labels apart: sizes and file formats; None with only one of each."""
    values = [row for row in audit.imbalance if row.attribute != "magnification"]
    shown = [row for row in values if sum(other.attribute == row.attribute for other in values) > 1]
    most_first = sorted(shown, key=lambda row: (row.attribute, -row.benign - row.malignant))[:_IMBALANCES_SHOWN]
    rows = tuple(
        Row(
            Cell(f"{row.attribute.capitalize()} {row.value}"),
            (
                Cell(f"{row.benign:,}"),
                Cell(f"{row.malignant:,}"),
                Cell(percent(row.malignant / max(1, row.benign + row.malignant))),
            ),
        )
        for row in most_first
    )
    columns = (Column("Benign images"), Column("Malignant images"), Column("Malignant share"))
    caption = "What could be learned instead of tissue: the malignant share should not depend on it"
    return Table(caption, "Attribute", columns, rows) if rows else None


def split_table(parts: pd.DataFrame, *, unit: str) -> Table:
    """Return what each part of the split holds.

    Args:
        parts: as from `lobule.data.split.describe`.
        unit: what is never divided: case, patient or image.
    """
    titles = {"images": "Images", "cases": f"{unit.capitalize()}s"} if unit != "image" else {"images": "Images"}
    titles |= {"benign_cases": f"Benign {unit}s", "malignant_cases": f"Malignant {unit}s"}
    rows = [
        Row(
            Cell(_part_name(row["part"])),
            (*(Cell(f"{row[name]:,}") for name in titles), Cell(percent(row["malignant_share"]))),
        )
        for row in parts.to_dict("records")
    ]
    columns = tuple(Column(title) for title in (*titles.values(), "Malignant share of images"))
    caption = f"What each part of the split holds; no {unit} stands on both sides"
    return Table(caption, "Part", columns, tuple(rows))


def _part_name(part: str) -> str:
    return {"train": "Holdout, training", "validation": "Holdout, validation"}.get(part, part.capitalize())
