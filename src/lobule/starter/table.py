"""The numbers of the starter model as a table for its page in the manual, beside what colour alone achieves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lobule.report.numbers import METRIC_NAMES, difference_of, level_of, number_of, numbers_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lobule.evaluation.levels import Level
    from lobule.taxonomy import Task

__all__ = ["numbers_table"]

_ROWS: Final[tuple[tuple[Task, Level, str], ...]] = (
    ("binary", "case", "auroc"),
    ("binary", "case", "balanced_accuracy"),
    ("binary", "image", "auroc"),
    ("binary", "image", "balanced_accuracy"),
    ("binary", "image", "recall"),
    ("binary", "image", "specificity"),
    ("subtype", "image", "balanced_accuracy"),
    ("subtype", "image", "macro_f1"),
)
_QUESTIONS: Final = {"binary": "benign or malignant", "subtype": "eight subtypes"}


def numbers_table(document: Mapping[str, Any]) -> str:
    """Return out-of-fold numbers with their 95 % intervals, as Markdown.

    Args:
        document: metrics.json.
    """
    control = numbers_in(document, "controls", "colour_only")
    lines = [
        "| question | metric | this model | colour alone | difference, paired by case |",
        "|---|---|--:|--:|--:|",
    ]
    for task, level, metric in _ROWS:
        own = number_of(level_of(document, task, protocol="folds", level=level), metric)
        colour = number_of(level_of(control, task, protocol="folds", level=level), metric)
        gained = difference_of(control, task, metric, protocol="folds", level=level)
        span = f" [{gained.span_text}]" if gained.span_text else ""
        lines.append(
            f"| {_QUESTIONS[task]}, per {level} | {METRIC_NAMES[metric]} | {own} | {colour} "
            f"| {gained.signed_text}{span} |"
        )
    return "\n".join(lines)
