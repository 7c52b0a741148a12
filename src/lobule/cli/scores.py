"""Metrics as a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobule.cli.console import show_table

if TYPE_CHECKING:
    from lobule.evaluation.metrics import Metrics
    from lobule.evaluation.summary import MetricRow

__all__ = ["show_scores"]

_SHOWN = {
    "binary": ("auroc", "balanced_accuracy", "accuracy", "precision", "recall", "specificity", "f1"),
    "subtype": ("balanced_accuracy", "accuracy", "macro_f1"),
}


def show_scores(metrics: Metrics) -> None:
    """Show the main metrics of the folds (else of what there is), by image and by case, beside the rivals."""
    from lobule.evaluation.summary import summary

    rows = [row for row in summary(metrics) if row.name in _SHOWN[row.task]]
    protocol = "folds" if any(row.protocol == "folds" for row in rows) else rows[0].protocol if rows else "folds"
    cells = [
        [
            f"{row.task}, by {row.level}: {row.name.replace('_', ' ')}",
            _number(row.value),
            _interval(row),
            str(row.n_images),
            str(row.n_cases),
            *(_number(_rival(metrics, name, row)) for name in metrics.document["controls"]),
        ]
        for row in rows
        if row.protocol == protocol
    ]
    rivals = [name.replace("_", " ") for name in metrics.document["controls"]]
    title = "Out of fold: every image predicted by a model that never saw its case" if protocol == "folds" else protocol
    show_table(title, ["metric", "value", "95 % interval", "images", "cases", *rivals], cells)


def _rival(metrics: Metrics, name: str, row: MetricRow) -> float | None:
    task = metrics.document["controls"][name][row.task] or {}
    value: float | None = task.get(row.protocol, {}).get(row.level, {}).get(row.name, {}).get("value")
    return value


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(row: MetricRow) -> str:
    return "–" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
