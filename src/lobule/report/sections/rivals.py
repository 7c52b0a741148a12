"""The model beside rivals that should lose to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lobule.report.cells import Cell, Column, Row, Table, difference_cell, metric_cell
from lobule.report.numbers import METRIC_NAMES, Number, difference_of, level_of, number_of, numbers_in
from lobule.report.theme import display_name
from lobule.taxonomy import SUBTYPES, Task

if TYPE_CHECKING:
    from lobule.evaluation.levels import Level
    from lobule.evaluation.predictions import Protocol

__all__ = ["CONTROL_NAMES", "RIVALS_NOTE", "rivals_table", "what_rivals_tell"]

CONTROL_NAMES: Final = {
    "majority": ("Majority", "always the more frequent class"),
    "colour_only": ("Colour only", "15 colour numbers an image, no morphology"),
    "plain_recipe": ("Plain recipe", "logistic regression on the same features, same folds"),
    "image_split": ("Price of cheating", "the same model, split by image: cases leak"),
    "permuted_labels": ("Shuffled labels", "the same model, labels permuted by case: must guess"),
}
"""Control in metrics.json -> its name and what it is."""

RIVALS_NOTE: Final = (
    "Bars run from 0.4 to 1, for subtypes from 0 to 1, dotted: guessing; for differences from −0.2 to 0.5, dotted:"
    " none."
)
_CAPTION: Final = "Beside simpler rivals, on the same images"
_COLUMNS: Final[tuple[tuple[Task, Level, str], ...]] = (
    ("binary", "image", "auroc"),
    ("binary", "case", "auroc"),
    ("binary", "image", "balanced_accuracy"),
    ("subtype", "image", "balanced_accuracy"),
)
_GUESSING: Final = 0.5
_AXIS: Final = (0.4, 1.0)
_DIFFERENCE_AXIS: Final = (-0.2, 0.5)


def rivals_table(document: Mapping[str, Any], *, protocol: Protocol) -> Table | None:
    """Return the model beside its controls on the same images, with the paired difference; None without controls."""
    controls = {name: block for name, block in (document.get("controls") or {}).items() if block}
    if not controls:
        return None
    asked = [key for key in _COLUMNS if level_of(document, key[0], protocol=protocol, level=key[1]) is not None]
    has_differences = any(
        difference_of(block, "binary", "auroc", protocol=protocol, level="image").value is not None
        for block in controls.values()
    )
    own = [_cell(document, *key, protocol) for key in asked]
    rows = [Row(Cell("This model"), tuple(_with_difference(own, Cell(""), has_differences)), strong=True)]
    for name in sorted(controls, key=_order):
        title, note = CONTROL_NAMES.get(name, (display_name(name).capitalize(), ""))
        gain = difference_of(controls[name], "binary", "auroc", protocol=protocol, level="image")
        cells = [_cell(controls[name], *key, protocol) for key in asked]
        shown = _with_difference(cells, difference_cell(gain, axis=_DIFFERENCE_AXIS), has_differences)
        rows.append(Row(Cell(title, (note,) if note else ()), tuple(shown)))
    return Table(_CAPTION, "Classifier", _columns(asked, has_differences), tuple(rows), "rivals")


def what_rivals_tell(document: Mapping[str, Any], *, protocol: Protocol) -> str:
    """Return what a leaking split would have claimed, and what shuffled labels reach; "" without these controls."""
    controls = document.get("controls") or {}
    leaking, shuffled = (
        number_of(level_of(controls.get(name) or {}, "binary", protocol=protocol, level="image"), "auroc")
        for name in ("image_split", "permuted_labels")
    )
    sentences = []
    if leaking.value is not None:
        gain = difference_of(controls["image_split"], "binary", "auroc", protocol=protocol, level="image")
        sentences.append(_price_of_cheating(leaking, gain))
    if shuffled.value is not None:
        sentences.append(
            _shuffled_labels(shuffled, numbers_in(controls["permuted_labels"], "binary", protocol, "image"))
        )
    return " ".join(sentences)


def _shuffled_labels(shuffled: Number, level: Mapping[str, Any]) -> str:
    """Say whether shuffled labels were learned; one shuffle of few cases is often far from 0.5 by chance alone."""
    benign, malignant = (number_of(level, name).n_cases or 0 for name in ("specificity", "recall"))
    # Without its interval, which resamples cases but not the shuffle.
    text = f"On labels shuffled between cases the same model reaches {shuffled.value_text}"
    if not benign or not malignant or shuffled.value is None:
        return f"{text}."
    # Twice the standard error of a rank sum of cases (Mann and Whitney, 1947).
    scatter = 2 * ((benign + malignant + 1) / (12 * benign * malignant)) ** 0.5
    expected = f"one shuffle of {benign} benign and {malignant} malignant cases lies within about ±{scatter:.2f} of 0.5"
    if shuffled.value > _GUESSING + scatter:
        return f"{text}; {expected}, so look for a leak."
    return f"{text}; {expected} by chance, so nothing is seen to leak."


def _price_of_cheating(leaking: Number, gain: Number) -> str:
    text = f"Split by image, with images of one case on both sides, the same model would claim an AUROC of {leaking}"
    if gain.value is None:
        return f"{text}; that is the price of cheating."
    more = Number(value=-gain.value, low=_negative(gain.high), high=_negative(gain.low))
    interval = f" (95\u00a0% interval {more.span_text})" if more.has_interval else ""
    return f"{text}: a difference of {more.signed_text}{interval} that no new case would see."


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _columns(asked: list[tuple[Task, Level, str]], has_differences: bool) -> tuple[Column, ...]:
    columns = [
        Column(
            METRIC_NAMES[metric],
            "eight subtypes, per image" if task == "subtype" else f"per {unit}",
        )
        for task, unit, metric in asked
    ]
    gain = Column("Model minus rival", "AUROC per image, paired by case")
    return (columns[0], gain, *columns[1:]) if has_differences else tuple(columns)


def _with_difference(cells: list[Cell], gain: Cell, has_differences: bool) -> list[Cell]:
    return [cells[0], gain, *cells[1:]] if has_differences else cells


def _cell(document: Mapping[str, Any], task: Task, unit: Level, metric: str, protocol: Protocol) -> Cell:
    number = number_of(level_of(document, task, protocol=protocol, level=unit), metric)
    axis, guess = ((0.0, 1.0), 1 / len(SUBTYPES)) if task == "subtype" else (_AXIS, _GUESSING)
    return metric_cell(number, usual=number.counts_text, axis=axis, mark=guess)


def _order(name: str) -> tuple[int, str]:
    known = list(CONTROL_NAMES)
    return (known.index(name) if name in known else len(known), name)
