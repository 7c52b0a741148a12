"""What the images are, how they were divided, and what the audit found in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import pandas as pd

from lobule.report.blocks import Block, Footnote, Heading, Listing, Paragraph, Plots, Section
from lobule.report.cells import Cell, Column, Row, Table
from lobule.report.inputs import ReportInputs
from lobule.report.numbers import percent
from lobule.report.sections.audit import association_table, audit_lines, imbalance_table, leakage_table
from lobule.report.theme import display_name
from lobule.taxonomy import LABELS, MAGNIFICATIONS, SUBTYPES

if TYPE_CHECKING:
    from lobule.data.audit import Audit

__all__ = ["data_section", "data_table", "split_table"]

_CLEAN: Final = "No identical pixels under two names, no image with two labels, no case with both labels."
_ASSOCIATION_NOTE: Final = (
    "Each attribute alone predicts the label of a case from all other cases. By chance: what 99 % of random"
    " permutations of the labels over the cases stay below. Above it, a classifier could cheat from the attribute,"
    " as far as it shows in the pixels."
)


def data_section(inputs: ReportInputs) -> Section:
    """Return what is known of the images: of predictions made elsewhere only their counts."""
    from lobule.data.split import describe

    blocks: list[Block] = [data_table(inputs.images)]
    if inputs.audit:
        blocks += _audit_blocks(inputs.audit)
    if inputs.split:
        blocks.append(Paragraph(inputs.split.policy or "none", "Policy"))
        if inputs.manifest:
            blocks.append(split_table(describe(inputs.split, inputs.manifest), unit=inputs.unit))
    return Section("data", "On what", "On what", (*blocks, Plots("data")))


def _audit_blocks(audit: Audit) -> Iterable[Block]:
    yield Heading("What the audit found")
    lines = audit_lines(audit)
    yield Listing(tuple(lines)) if lines else Paragraph(_CLEAN)
    if audit.skipped:
        yield Listing(tuple((reason, ()) for reason in audit.skipped))
    tables = (leakage_table(audit), imbalance_table(audit), association_table(audit))
    yield from (table for table in tables if table)
    if tables[-1]:
        yield Footnote(_ASSOCIATION_NOTE)


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
