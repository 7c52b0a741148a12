"""What was searched, what each fold chose, and by how much choosing flatters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lobule.report.blocks import Footnote, Paragraph, Section
from lobule.report.cells import Cell, Column, Row, Table
from lobule.report.numbers import count

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs
    from lobule.report.search_record import SearchedPart, SearchRecord

__all__ = ["chosen_table", "search_section", "space_table"]

_OBJECTIVES: Final = {
    "auroc": ("AUROC", "the AUROC of the binary task, by image, pooled over the inner folds"),
    "log_loss": (
        "Log loss",
        "the cross-entropy of the binary task on the inner folds, cases and classes weighing the same (shown negative:"
        " more is better)",
    ),
}
_SAMPLERS: Final = {
    "random": "drawn at random, one list for all outer fits, so that no result has a say in what was tried",
    "tpe": "drawn for each outer fit by itself, by a tree-structured Parzen estimator that sees its inner scores only",
}
_READ: Final = (
    "Inner scores chose, so the best of them flatters. Out of fold: every image was scored by a model whose settings,"
    " number of epochs and temperature came from a search that saw no image of its case; all other numbers of this page"
    " are of that kind. Inner models are trained on fewer cases than the models that are scored, which works the other"
    " way."
)


def search_section(inputs: ReportInputs) -> Section | None:
    """Return the search; None for a run whose settings were given."""
    record = inputs.search
    if record is None:
        return None
    seconds = (inputs.run.get("seconds") or {}).get("search")
    blocks = (
        Paragraph(_tried_text(record, seconds), "Tried"),
        Paragraph(_nested_text(record), "Nested"),
        Paragraph(_optimism_text(record), "Optimism"),
        chosen_table(record),
        Footnote(_READ),
        space_table(record.space),
        Footnote("Drawn in seed order; every configuration with its inner scores stands in search.csv."),
    )
    return Section("search", "Search", "Search for settings", blocks)


def _tried_text(record: SearchRecord, seconds: float | None) -> str:
    each = " for each outer fit" if record.sampler == "tpe" else ""
    text = (
        f"{count(record.n_configurations, 'configuration')}{each}, the given settings first, the others"
        f" {_SAMPLERS[record.sampler]} (Optuna, seed {record.seed})."
    )
    if record.screening_epochs:
        text += (
            f" All were trained for {count(record.screening_epochs, 'epoch')}; each outer fit took the best"
            f" {count(record.n_finalists, 'configuration')} (and the given settings) to"
            f" {record.max_epochs} epochs."
        )
    else:
        text += f" All were trained for {record.max_epochs} epochs."
    if seconds is not None:
        text += f" The start that finished the search spent {seconds:,.0f} s on it, features not counted."
    return text


def _nested_text(record: SearchRecord) -> str:
    _, what = _OBJECTIVES[record.objective]
    return (
        "Every outer fit (each fold, the holdout, the shipped model) has a search of its own on inner folds of its own"
        f" training cases: the folds of the split without the cases that it holds out. What decided was {what}. The"
        " subtype head takes the settings that the binary task chose. Heads of different settings differ in scale:"
        " each is divided by the temperature of its inner folds, so that their logits can be pooled. 'What was done'"
        " names the settings of the shipped model. The rivals that are the model trained anew (split by image, permuted"
        " labels) have settings that were chosen on the true labels: they check training and scoring, not the search."
    )


def _optimism_text(record: SearchRecord) -> str:
    name, _ = _OBJECTIVES[record.objective]
    text = (
        f"{name} on the inner folds, mean over the folds: {record.inner:.3f} with what the search chose,"
        f" {record.given:.3f} with the given settings."
    )
    if record.outer is None or record.optimism is None:
        return text
    return (
        f"{text} Out of fold, untouched by the search: {record.outer:.3f}. The inner score of the choice is"
        f" {abs(record.optimism):.3f} {'higher' if record.optimism >= 0 else 'lower'} than what comes of it."
    )


def chosen_table(record: SearchRecord) -> Table:
    """Return what each outer fit chose, with the score that chose it and the score of what it held out."""
    name, _ = _OBJECTIVES[record.objective]
    columns = (
        Column("Configuration", "0: as given"),
        Column(name, "inner folds"),
        Column(name, "inner, as given"),
        Column(name, "held out"),
        Column("Settings"),
    )
    return Table("What each outer fit chose", "Outer fit", columns, tuple(map(_row, record.parts)), "broad")


def _row(part: SearchedPart) -> Row:
    held_out = Cell("–", why="nothing is held out" if part.name == "final" else "held-out images of one label only")
    cells = (
        Cell(f"#{part.number}"),
        Cell(f"{part.inner:.3f}"),
        Cell(f"{part.given:.3f}"),
        held_out if part.held_out is None else Cell(f"{part.held_out:.3f}"),
        Cell("as given" if not part.settings else "", tuple(_settings(part.settings))),
    )
    shown = "shipped model" if part.name == "final" else part.name
    return Row(Cell(shown.capitalize()), cells, strong=part.name == "final")


def _settings(settings: Mapping[str, Any]) -> list[str]:
    return [f"{name.partition('.')[2].replace('_', ' ')}: {_value(value)}" for name, value in settings.items()]


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "last map"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def space_table(space: Mapping[str, Any]) -> Table:
    """Return what was searched, a row a setting."""
    rows = tuple(
        Row(Cell(f"{name} ({key})" if key else name), (Cell(text),))
        for name, value in space.items()
        for key, text in _choices(name, value)
    )
    return Table("What was searched", "Setting", (Column("Values"),), rows)


def _choices(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and "low" in value:
        scale = ", logarithmic" if value.get("log") else ""
        return [("", f"{value['low']:g} to {value['high']:g}{scale}")]
    if isinstance(value, Mapping):
        return [(str(key), _listed(values)) for key, values in value.items()]
    return [("", _listed(value))]


def _listed(values: Any) -> str:
    return " | ".join(_value(value) for value in values)
