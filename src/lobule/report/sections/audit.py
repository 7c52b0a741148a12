"""What the audit found, in lines and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lobule.report.cells import Cell, Column, Row, Table
from lobule.report.numbers import decimal_of, percent
from lobule.report.theme import display_name

if TYPE_CHECKING:
    from lobule.data.audit import Audit
    from lobule.data.leakage import Leak

__all__ = ["association_table", "audit_lines", "imbalance_table", "leakage_table"]

_FINDINGS_SHOWN: Final = 5
_IMBALANCES_SHOWN: Final = 10
_ASSOCIATIONS_SHOWN: Final = 8
_SHOWN_IN_A_TABLE: Final = "attribute_predicts_label"
_KIND_NAMES: Final = {
    "identical_pixels": "identical pixels under several names",
    "subtype_conflict": "identical pixels under several subtypes",
    "label_conflict": "identical pixels under both labels",
    "near_duplicates": "one picture in several versions",
    "near_subtype_conflict": "versions of one picture under several subtypes",
    "near_label_conflict": "versions of one picture under both labels",
    "case_with_both_labels": "a case with benign and malignant images",
    "image_on_both_sides": "an image on both sides of the given split",
    "patient_on_both_sides": "a patient on both sides of the given split",
    "case_on_both_sides": "a case on both sides of the given split",
    "pixels_on_both_sides": "identical pixels on both sides of the given split",
    "picture_on_both_sides": "one picture on both sides of the given split",
    "attribute_predicts_label": "something other than tissue that predicts the label; see the table below",
}


def audit_lines(audit: Audit) -> list[tuple[str, tuple[str, ...]]]:
    """Return, for each kind of finding, how many there are and the first few in words."""
    lines = []
    for kind in dict.fromkeys(finding.kind for finding in audit.findings):
        of_kind = [finding for finding in audit.findings if finding.kind == kind]
        shown = 0 if kind == _SHOWN_IN_A_TABLE and audit.associations else _FINDINGS_SHOWN
        messages = [finding.message for finding in of_kind[:shown]]
        if shown and len(of_kind) > shown:
            messages.append(f"and {len(of_kind) - shown:,} more, listed in audit.json")
        lines.append((f"{len(of_kind):,} × {_KIND_NAMES.get(kind, display_name(kind))}", tuple(messages)))
    return lines


def imbalance_table(audit: Audit) -> Table | None:
    """Return what is not tissue but could tell the labels apart: sizes and file formats; None with only one of each."""
    values = [row for row in audit.imbalance if row.attribute in ("size", "format")]
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


def association_table(audit: Audit) -> Table | None:
    """Return how well something that is no tissue predicts the label; None where nothing was measured."""
    from lobule.data.associations import is_clear

    rows = []
    for found in audit.associations[:_ASSOCIATIONS_SHOWN]:
        more = len(found.attributes) - 1
        notes = (f"and {more} more that divide the images alike",) if more else ()
        verdict = "above chance" if is_clear(found) else "not above chance"
        cells = (
            Cell(f"{found.values:,}"),
            Cell(decimal_of(found.balanced_accuracy, 2)),
            Cell(decimal_of(found.by_chance, 2)),
            Cell(verdict),
        )
        rows.append(Row(Cell(found.attributes[0], notes), cells, strong=is_clear(found)))
    columns = (Column("Values"), Column("Balanced accuracy"), Column("By chance, below"), Column("Reading"))
    caption = "How well other things than tissue predict the label of held-out cases (0.5 is guessing)"
    return Table(caption, "Attribute", columns, tuple(rows)) if rows else None


def leakage_table(audit: Audit) -> Table | None:
    """Return what the parts of a given split share; None where no split was given."""
    rows = tuple(_leak_row(leak) for leak in audit.leakage)
    columns = (Column("Shared"), Column("On both sides"), Column("Images touched"), Column("Share of the part"))
    source = audit.split.source if audit.split else "the given split"
    caption = f"What the parts of {source} share with the parts they are held out from"
    return Table(caption, "Part", columns, rows) if rows else None


def _leak_row(leak: Leak) -> Row:
    name = f"{leak.division}, {leak.part}" if leak.division not in ("", "folds") else leak.part
    touched = f"{len(leak.image_ids):,} of {leak.images:,}"
    cells = (Cell(leak.level), Cell(f"{len(leak.groups):,}"), Cell(touched), Cell(percent(leak.share)))
    return Row(Cell(name), cells, strong=bool(leak.groups))
