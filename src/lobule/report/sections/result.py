"""The first screen: how good, how sure, on how many cases, and whether it beats colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lobule.evaluation.levels import LEVELS
from lobule.report.cells import Cell
from lobule.report.inputs import ReportInputs
from lobule.report.numbers import (
    Number,
    count,
    difference_of,
    headline_protocol,
    level_of,
    number_of,
    numbers_in,
    percent,
    spelled,
)
from lobule.taxonomy import LABELS, Task

if TYPE_CHECKING:
    from lobule.evaluation.levels import Level
    from lobule.evaluation.predictions import Protocol

__all__ = ["Tile", "Versus", "answer", "beside_colour", "tiles"]

_BESIDE_COLOUR: Final = "Ahead of colour alone, AUROC per image"
_TILES: Final[tuple[tuple[str, Task, Level, str], ...]] = (
    ("AUROC, per image", "binary", "image", "auroc"),
    ("AUROC, per case", "binary", "case", "auroc"),
    (_BESIDE_COLOUR, "binary", "image", "auroc"),
    ("Balanced accuracy, per image", "binary", "image", "balanced_accuracy"),
    ("Eight subtypes, balanced accuracy, per image", "subtype", "image", "balanced_accuracy"),
)
_NO_INTERVAL: Final = "no interval: too few cases, or nothing that varies"
_REVERSED: Final = 0.3
_GUESSING: Final = 0.5
_SHARE_RIGHT: Final = {"benign": "specificity", "malignant": "recall"}


@dataclass(frozen=True)
class Tile:
    """A number that stands out, what it is, and how sure it is."""

    name: str
    cell: Cell
    interval: str
    counts: str


@dataclass(frozen=True)
class Versus:
    """Whether the model beats colour: a short answer, and what it rests on."""

    outcome: Literal["better", "unclear", "worse"]
    lead: str
    text: str


def answer(inputs: ReportInputs) -> str:
    """Return the result in one or two sentences: how good, how sure, on how much."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    if protocol is None:
        return "No image with a known label was scored, so nothing can be said about how good this classifier is."
    image = level_of(document, "binary", protocol=protocol, level="image")
    auroc, of_cases = (
        number_of(level_of(document, "binary", protocol=protocol, level=level), "auroc") for level in LEVELS
    )
    text = _tested_on(inputs, protocol)
    if auroc.value is None:
        text += (
            f", only one class is there{_only_class(image)}, so whether the model tells the two apart cannot be said"
        )
    else:
        text += f", the model told malignant from benign with an AUROC of {spelled(auroc)} per image"
        text += f" and {spelled(of_cases)} per case" if of_cases.value is not None else ""
    return f"{text}.{_called(image)}{_reversed(auroc)}"


def _only_class(image: Mapping[str, Any] | None) -> str:
    found = [label for label, metric in _SHARE_RIGHT.items() if number_of(image, metric).value is not None]
    return f", {found[0]}" if len(found) == 1 else ""


def _called(image: Mapping[str, Any] | None) -> str:
    """Return what share of each class that is there got its own label."""
    parts = [
        f"{percent(number.value)} of the {label} images {label}{_interval_in_percent(number)}"
        for label, metric in reversed(_SHARE_RIGHT.items())
        if (number := number_of(image, metric)).value is not None
    ]
    return f" It called {' and '.join(parts)}." if parts else ""


def _reversed(auroc: Number) -> str:
    if auroc.value is None:
        return ""
    is_low = auroc.high < _GUESSING if auroc.high is not None else auroc.value < _REVERSED
    if not is_low:
        return ""
    return (
        " That is worse than guessing: the labels, or the column of probabilities, may be reversed (P(benign) read as"
        " P(malignant))."
    )


def _tested_on(inputs: ReportInputs, protocol: Protocol) -> str:
    frame = inputs.predictions.select(protocol).frame
    frame = frame[frame["label"].isin(LABELS) & frame["prob_malignant"].notna()]
    cases = frame.groupby("label")["case_id"].nunique()
    patients = frame.loc[frame["patient_id"] != "", "patient_id"].nunique()
    parts = [f"{int(cases.get(label, 0))} {label}" for label in LABELS]
    sizes = [count(len(frame), "image"), *([count(patients, "patient id")] if patients else [])]
    listed = f"{', '.join(parts)}; {', '.join(sizes)}"
    return f"On {count(int(frame['case_id'].nunique()), 'case')}{_novelty(inputs.unit, protocol)} ({listed})"


def _novelty(unit: str, protocol: Protocol) -> str:
    if unit == "image":
        return " it had seen in training"
    if not unit or protocol == "predict":
        return ""
    seen = " it had not seen" if unit == "case" else f", with no {unit} it had seen"
    return f"{seen}, one held-out part of the data" if protocol == "holdout" else seen


def _interval_in_percent(number: Number) -> str:
    if number.low is None or number.high is None:
        return ""
    return f" ({100 * number.low:.0f}–{percent(number.high)})"


def beside_colour(document: Mapping[str, Any]) -> Versus | None:
    """Return whether the model beats fifteen colour numbers; None where nothing was scored."""
    protocol = headline_protocol(document)
    if protocol is None:
        return None
    control = numbers_in(document, "controls", "colour_only")
    colour = number_of(level_of(control, "binary", protocol=protocol, level="image"), "auroc")
    if colour.value is None:
        text = "these metrics come without the control that sees only colour, so part of the result may be stain."
        return Versus("unclear", "Whether it beats colour is not known:", text)
    alone = f"fifteen colour numbers alone reach an AUROC of {colour.value_text} per image"
    return _versus(difference_of(control, "binary", "auroc", protocol=protocol, level="image"), alone)


def _versus(gain: Number, alone: str) -> Versus:
    if gain.value is None:
        return Versus(
            "unclear", "Whether it beats colour is not known:", f"{alone}; no paired difference was measured."
        )
    if gain.low is None or gain.high is None:
        text = (
            f"{alone}, the model {gain.signed_text}; there is no interval of this difference: too few cases, or nothing"
            " that varies."
        )
        return Versus("unclear", "Whether it beats colour cannot be said:", text)
    interval = f"(95\u00a0% interval {gain.span_text}; paired, by case)"
    if gain.low > 0:
        return Versus("better", "It beats colour:", f"{alone}; the model is better by {gain.value_text} {interval}.")
    if gain.high < 0:
        text = f"{alone}; the difference is {gain.value_text} {interval}."
        return Versus("worse", "It is worse than colour:", text)
    text = f"{alone}; the difference is {gain.signed_text} {interval}, and this interval includes 0."
    return Versus("unclear", "It does not clearly beat colour:", text)


def tiles(document: Mapping[str, Any], protocol: Protocol) -> list[Tile]:
    """Return the numbers that stand out, those that are known."""
    found = []
    for name, task, level, metric in _TILES:
        values = level_of(document, task, protocol=protocol, level=level)
        if name == _BESIDE_COLOUR:
            control = numbers_in(document, "controls", "colour_only")
            number = difference_of(control, task, metric, protocol=protocol, level=level)
            if number.value is not None:
                found.append(_tile(name, number, number.signed_text, number.span_text))
        elif values is not None:
            number = number_of(values, metric)
            found.append(_tile(name, number, number.value_text, number.interval_text))
    return found


def _tile(name: str, number: Number, text: str, interval: str) -> Tile:
    shown = f"95\u00a0%: {interval}" if interval else _NO_INTERVAL
    return Tile(name, Cell(text, why=number.why), shown, number.counts_text)
