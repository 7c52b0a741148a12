"""From images to a case: the rule in use beside its alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lobule.report.blocks import Footnote, Paragraph, Section
from lobule.report.cells import Cell, Column, Row, Table, metric_cell
from lobule.report.numbers import headline_protocol, number_of, numbers_in

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = ["case_rules_table", "case_section"]

_RULES: Final = {
    "mean_log_odds": ("Mean log-odds", "the rule in use"),
    "mean_probability": ("Mean probability", ""),
    "median_probability": ("Median probability", ""),
    "largest_probability": ("Largest probability", "one suspicious image is enough"),
    "majority_vote": ("Majority vote", "share of images called malignant"),
}
_TEXT: Final = (
    "A case's answer is put together from its images. The rule was fixed beforehand, not chosen by these numbers; the"
    " alternatives are shown so that a reader can see what depends on it."
)
_NOTE: Final = (
    "A rule that is not in use may look better here by chance: choosing the best of several on the cases that judge it"
    " flatters it."
)


def case_section(inputs: ReportInputs) -> Section | None:
    """Return the rules side by side; None where they were not measured."""
    document = inputs.metrics.document
    table = case_rules_table(numbers_in(document, "binary", headline_protocol(document) or "", "case_rules"))
    if table is None:
        return None
    return Section("cases", "Cases", "From images to a case", (Paragraph(_TEXT), table, Footnote(_NOTE)))


def case_rules_table(rules: Mapping[str, Any]) -> Table | None:
    """Return AUROC and balanced accuracy per case by rule.

    Args:
        rules: `case_rules` of metrics.json.
    """
    rows = []
    for name, (title, note) in _RULES.items():
        values = numbers_in(rules, name)
        if values:
            numbers = [number_of(values, metric) for metric in ("auroc", "balanced_accuracy")]
            usual = numbers[0].counts_text
            cells = (*(metric_cell(number, usual=usual) for number in numbers), Cell(usual))
            rows.append(Row(Cell(title, (note,) if note else ()), cells, strong=name == "mean_log_odds"))
    columns = (Column("AUROC", "per case"), Column("Balanced accuracy", "per case"), Column("Behind it"))
    return Table("Ways from images to a case", "Rule", columns, tuple(rows)) if rows else None
