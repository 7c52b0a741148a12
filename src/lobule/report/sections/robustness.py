"""What becomes of the answers when the images change, or a magnification was never seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from lobule.report.blocks import Block, Footnote, Paragraph, Plots, Section
from lobule.report.cells import Cell, Column, Row, Table, metric_cell
from lobule.report.numbers import Number, count, percent

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = [
    "UNCHANGED",
    "changed_images",
    "condition_name",
    "left_out_table",
    "robustness_section",
    "robustness_table",
]

UNCHANGED: Final = "unchanged"
_ALL, _LEFT_OUT = "all_magnifications", "magnification_left_out"
_NAMES: Final = {
    UNCHANGED: "Unchanged",
    "jpeg_quality": "JPEG quality",
    "blur_sigma": "Blur",
    "haematoxylin_gain": "Haematoxylin",
    "eosin_gain": "Eosin",
    "half_resolution": "Half resolution",
}
_NOT_MEASURED: Final = (
    "Not measured in this run. `--set robustness.images=100` changes 100 images (JPEG, blur, brightness, stain,"
    " resolution), leaves out one magnification after the other, and shows here what becomes of the answers."
)
_TEXT: Final = (
    "A sample of held-out images, changed in one way at a time and judged again by the heads that had not seen their"
    " cases. A verdict is benign, malignant or uncertain; whether a changed image would be refused as not assessable is"
    " not judged here. Blur is the sigma in pixels of an image of 460 rows; brightness and stains are factors, 1 is"
    " unchanged."
)
_LEFT_OUT_NOTE: Final = (
    "Both on the same images, all of one magnification: heads trained on all magnifications, and heads trained without"
    " any image of this one."
)
_CARRIES_OVER: Final = "Close numbers mean that what was learned carries over."
_NEAR_CHANCE: Final = "the AUROC of the former is near chance (0.5), so that close numbers say nothing."
_MEASURED_BY_THE_RUN: Final = "Measured by the run itself, with its own temperatures, thresholds and label sets."
_FEW_IMAGES: Final = 50
_CHANCE: Final = 0.6


def robustness_section(inputs: ReportInputs) -> Section | None:
    """Return the tables and the figure; a sentence where it was not measured, None where it cannot be."""
    frame = inputs.robustness
    if frame is None or not len(frame):
        if inputs.config is None:
            return None
        return Section("robustness", "Robustness", "When images change", (Paragraph(_NOT_MEASURED),))
    changed, left_out = robustness_table(frame), left_out_table(frame)
    blocks: list[Block] = []
    if changed:
        text = f"{_TEXT} {_MEASURED_BY_THE_RUN}" if inputs.rescored else _TEXT
        blocks += [Paragraph(text), *_few(frame), Plots("robustness"), changed]
    if left_out:
        blocks += [left_out, Footnote(f"{_LEFT_OUT_NOTE} {_what_carries_over(frame)}")]
    return Section("robustness", "Robustness", "When images change", tuple(blocks))


def _few(frame: pd.DataFrame) -> list[Paragraph]:
    """Warn where so few images were tried that most of what is seen is chance."""
    images = int(changed_images(frame)["n_images"].max())
    if images >= _FEW_IMAGES:
        return []
    text = f"Only {count(images, 'image')} tried: one image more or less is {percent(1 / images)} of them, so that"
    return [Paragraph(f"{text} small differences below are chance.", "Read with care")]


def _what_carries_over(frame: pd.DataFrame) -> str:
    """Say how to read the left out magnifications; at chance there is nothing that could carry over."""
    beside = frame[frame["condition"] == _ALL]
    auroc, low = (pd.to_numeric(beside[name], errors="coerce") for name in ("auroc", "low"))
    at_chance = ((auroc < _CHANCE) | auroc.isna() | (low <= 0.5)).to_numpy(dtype=bool)
    names = [f"{_amount(amount)}X" for amount in beside.loc[at_chance, "amount"]]
    if len(beside) and at_chance.all():
        return f"For all of them {_NEAR_CHANCE}"
    return f"{_CARRIES_OVER} For {' and '.join(names)} {_NEAR_CHANCE}" if names else _CARRIES_OVER


def condition_name(condition: str) -> str:
    """Return a condition as it is read: `jpeg_quality` -> `JPEG quality`."""
    return _NAMES.get(condition, condition.replace("_", " ").capitalize())


def changed_images(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows about changed images, the unchanged ones among them.

    Args:
        frame: as `ReportInputs.robustness`.
    """
    return frame[~frame["condition"].isin((_ALL, _LEFT_OUT))].reset_index(drop=True)


def robustness_table(frame: pd.DataFrame) -> Table | None:
    """Return AUROC and changed answers by condition and amount.

    Args:
        frame: as `ReportInputs.robustness`.
    """
    rows = []
    for row in changed_images(frame).to_dict("records"):
        auroc = _auroc(row)
        name = f"{condition_name(str(row['condition']))} {_amount(row['amount'])}".strip()
        cells = (metric_cell(auroc, usual=auroc.counts_text), _changes(row), Cell(auroc.counts_text))
        rows.append(Row(Cell(name), cells, strong=row["condition"] == UNCHANGED))
    columns = (
        Column("AUROC", "per image"),
        Column("Another verdict", "share of images"),
        Column("Measured on"),
    )
    return Table("Changed images", "Change", columns, tuple(rows)) if rows else None


def left_out_table(frame: pd.DataFrame) -> Table | None:
    """Return AUROC on each magnification by heads that were trained with and without it.

    Args:
        frame: as `ReportInputs.robustness`.
    """
    rows = []
    beside = {row["amount"]: row for row in frame[frame["condition"] == _ALL].to_dict("records")}
    for row in frame[frame["condition"] == _LEFT_OUT].to_dict("records"):
        number = _auroc(row)
        own = _auroc(beside[row["amount"]]) if row["amount"] in beside else Number()
        cells = (*(metric_cell(found, usual=number.counts_text) for found in (own, number)), _changes(row))
        rows.append(Row(Cell(f"{_amount(row['amount'])}X", (number.counts_text,)), cells))
    columns = (
        Column("Trained on all", "AUROC, per image"),
        Column("Trained without it", "AUROC, per image"),
        Column("Another verdict", "share of images"),
    )
    return Table("A magnification that was never seen", "Magnification", columns, tuple(rows)) if rows else None


def _amount(value: Any) -> str:
    if value is None or pd.isna(value):
        return ""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _auroc(row: Mapping[Any, Any]) -> Number:
    return Number(
        value=_known(row["auroc"]),
        low=_known(row["low"]),
        high=_known(row["high"]),
        n_images=int(row["n_images"]),
        n_cases=int(row["n_cases"]),
    )


def _changes(row: Mapping[Any, Any]) -> Cell:
    return Cell("–" if row["condition"] == UNCHANGED else percent(_known(row["verdict_changes"])))


def _known(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
