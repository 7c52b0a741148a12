"""What happens to the answers when the images are disturbed, or a magnification was never seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from lobule.report.blocks import Block, Footnote, Paragraph, Plots, Section
from lobule.report.cells import Cell, Column, Row, Table, metric_cell
from lobule.report.numbers import Number, count, percent

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = ["UNSEEN", "condition_name", "robustness_section", "robustness_table", "unseen_table"]

UNSEEN: Final = "without_"
"""Conditions that start with this leave a magnification out of training and are scored on that magnification."""

_NAMES: Final = {
    "none": "Undisturbed",
    "jpeg_quality": "JPEG quality",
    "half_resolution": "Half resolution",
    "stain_gain": "Stain gain",
}
_NOT_MEASURED: Final = (
    "Not measured in this run. `--set robustness.images=100` disturbs 100 images (JPEG, blur, brightness, stain, half"
    " resolution), leaves out one magnification after the other, and shows here what becomes of AUROC and verdicts."
)
_TEXT: Final = (
    "The same held-out images, disturbed, and judged by the same models. Verdict changes: the share of images whose"
    " verdict differs from that of the undisturbed image."
)
_UNSEEN_NOTE: Final = (
    "Trained without any image of this magnification, scored on its images only: how well the model reads a"
    " magnification it has never seen."
)


def robustness_section(inputs: ReportInputs) -> Section | None:
    """Return the tables and the figure; a sentence where it was not measured, None where it cannot be."""
    frame = inputs.robustness
    if frame is None or not len(frame):
        if inputs.config is None:
            return None
        return Section("robustness", "Robustness", "What disturbs it", (Paragraph(_NOT_MEASURED),))
    disturbed, unseen = robustness_table(frame), unseen_table(frame)
    blocks: list[Block] = []
    if disturbed:
        blocks += [Paragraph(_TEXT), Plots("robustness"), disturbed]
    if unseen:
        blocks += [unseen, Footnote(_UNSEEN_NOTE)]
    return Section("robustness", "Robustness", "What disturbs it", tuple(blocks))


def condition_name(condition: str) -> str:
    """Return a condition as it is read: `jpeg_quality` -> `JPEG quality`."""
    return _NAMES.get(condition, condition.replace("_", " ").capitalize())


def robustness_table(frame: pd.DataFrame) -> Table | None:
    """Return AUROC and changed verdicts by disturbance and amount.

    Args:
        frame: as `ReportInputs.robustness`.
    """
    rows = [
        Row(Cell(f"{condition_name(str(row['condition']))} {_amount(row['amount'])}".strip()), _cells(row))
        for row in frame[~frame["condition"].str.startswith(UNSEEN)].to_dict("records")
    ]
    columns = (Column("AUROC", "per image"), Column("Verdict changes", "share of images"), Column("Behind it"))
    return Table("Disturbed images", "Disturbance", columns, tuple(rows)) if rows else None


def unseen_table(frame: pd.DataFrame) -> Table | None:
    """Return AUROC on each magnification by a model that was trained without it.

    Args:
        frame: as `ReportInputs.robustness`.
    """
    rows = []
    for row in frame[frame["condition"].str.startswith(UNSEEN)].to_dict("records"):
        auroc, _, behind = _cells(row)
        rows.append(Row(Cell(str(row["condition"]).removeprefix(UNSEEN)), (auroc, behind)))
    columns = (Column("AUROC", "per image"), Column("Behind it"))
    return Table("Magnifications that were left out of training", "Left out", columns, tuple(rows)) if rows else None


def _amount(value: Any) -> str:
    if value is None or pd.isna(value):
        return ""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _cells(row: Mapping[Any, Any]) -> tuple[Cell, Cell, Cell]:
    auroc = Number(
        value=_known(row["auroc"]),
        low=_known(row["low"]),
        high=_known(row["high"]),
        n_images=int(row["n_images"]),
        n_cases=int(row["n_cases"]),
    )
    behind = f"{count(auroc.n_images, 'image')}, {count(auroc.n_cases, 'case')}"
    return metric_cell(auroc, usual=auroc.counts_text), Cell(percent(_known(row["verdict_changes"]))), Cell(behind)


def _known(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
