"""Metrics as a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lobule.cli.console import show_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lobule.evaluation.metrics import Metrics
    from lobule.evaluation.predictions import Protocol
    from lobule.evaluation.summary import MetricRow

__all__ = ["show_scores"]

_TITLES: Final = {"folds": "Out of fold", "holdout": "Holdout", "predict": "As given"}
_COLOUR: Final = "colour_only"
_WORDS: Final = {
    "image_split": "split by image (cheating)",
    "permuted_labels": "permuted labels",
    "colour_only": "colour only",
    "plain_recipe": "plain recipe",
}
_COMPARED: Final = (
    ("binary", "image", "auroc"),
    ("binary", "image", "balanced_accuracy"),
    ("binary", "case", "auroc"),
    ("subtype", "image", "balanced_accuracy"),
)
_SHOWN: Final = {
    "binary": ("auroc", "balanced_accuracy", "accuracy", "precision", "recall", "specificity", "f1"),
    "subtype": ("balanced_accuracy", "accuracy", "macro_f1"),
}


def show_scores(metrics: Metrics) -> None:
    """Show the main metrics of the folds (else of what there is) beside colour alone, then all controls by AUROC."""
    from lobule.evaluation.summary import summary

    rows = [row for row in summary(metrics) if row.name in _SHOWN[row.task]]
    protocol = "folds" if any(row.protocol == "folds" for row in rows) else rows[0].protocol if rows else "folds"
    controls = metrics.document["controls"]
    columns = ["metric", "value", "95 % interval", "images", "cases"]
    if _COLOUR in controls:
        columns += ["colour only", "better by", "95 % interval"]
    cells = [
        [
            f"{row.task}, by {row.level}: {row.name.replace('_', ' ')}",
            _number(row.value),
            _interval(row.low, row.high),
            str(row.n_images),
            str(row.n_cases),
            *(_beside_colour(controls[_COLOUR], row) if _COLOUR in controls else ()),
        ]
        for row in rows
        if row.protocol == protocol
    ]
    show_table(_TITLES.get(protocol, protocol), columns, cells)
    if controls:
        _show_controls(metrics, protocol)


def _show_controls(metrics: Metrics, protocol: Protocol) -> None:
    names = {"this model": metrics.document, **metrics.document["controls"]}
    cells = [
        [
            _WORDS.get(name, name.replace("_", " ")),
            *(
                _number(_block(tasks, task, protocol, level).get(metric, {}).get("value"))
                for task, level, metric in _COMPARED
            ),
        ]
        for name, tasks in names.items()
    ]
    titles = [f"{task}, by {level}: {metric.replace('_', ' ')}" for task, level, metric in _COMPARED]
    show_table("Beside its controls", ["", *titles], cells)


def _beside_colour(control: Mapping[str, Any], row: MetricRow) -> tuple[str, str, str]:
    colour = _block(control, row.task, row.protocol, row.level).get(row.name, {})
    gain = _block(control.get("difference") or {}, row.task, row.protocol, row.level).get(row.name, {})
    value = gain.get("value")
    return (
        _number(colour.get("value")),
        "–" if value is None else f"{value:+.3f}",
        _interval(gain.get("low"), gain.get("high")),
    )


def _block(tasks: Mapping[str, Any], task: str, protocol: str, level: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ((tasks.get(task) or {}).get(protocol) or {}).get(level) or {}
    return found


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.3f} to {high:.3f}"
