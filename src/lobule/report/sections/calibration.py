"""Whether a probability of 0.9 means nine in ten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from lobule.evaluation.binary import CALIBRATION_BINS
from lobule.report.blocks import Block, Footnote, Paragraph, Plots, Section
from lobule.report.cells import Cell, Column, Row, Table, metric_cell
from lobule.report.numbers import Number, decimal_of, headline_protocol, level_of, number_of, numbers_in, spelled
from lobule.report.sections.thresholds import is_fitted, is_shipped, part_name, range_text
from lobule.taxonomy import Task

if TYPE_CHECKING:
    from lobule.evaluation.predictions import Protocol
    from lobule.report.inputs import ReportInputs

__all__ = ["calibration_section", "calibration_table"]

_ROWS: Final = {
    "brier": ("Brier score", "0 is perfect"),
    "log_loss": ("Log loss", "0 is perfect"),
    "ece": ("Calibration error (ECE)", "0 is perfect"),
    "slope": ("Slope", "1 is perfect; below 1: too sure"),
    "intercept": ("Intercept", "0 is perfect; above 0: malignant is underrated"),
}
_NOTE: Final = (
    f"ECE: {CALIBRATION_BINS} bins of equal width over P(malignant), bin k from k/{CALIBRATION_BINS} up to but not"
    f" (k+1)/{CALIBRATION_BINS}; the mean over images (or cases) of the gap between mean probability and share of"
    " malignant in their bin. With few units it is above 0 even for perfect probabilities. Slope and intercept: a"
    " logistic regression of the label on the log-odds."
)
_SUBTYPE_NOTE: Final = (
    "Of the subtypes: the Brier score is summed over the eight probabilities, 0 to 2; ECE is that of the largest one."
)
_SUBTYPES: Final = "the subtypes of images"
_LEAST_LOSS: Final = 5e-4
_STAGES: Final = (("before", "before temperature"), ("after", "after, cross-fitted"))


def calibration_section(inputs: ReportInputs) -> Section | None:
    """Return calibration before and after temperature, of images and cases; None where nothing was scored."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    if protocol is None:
        return None
    blocks: list[Block] = [Paragraph(_temperature_text(inputs, protocol), "Temperature")]
    if reading := _reading(document, protocol):
        blocks.append(Paragraph(reading, "Reading"))
    tables = (
        calibration_table(document, "binary", protocol=protocol, caption="Probability of malignancy"),
        calibration_table(document, "subtype", protocol=protocol, caption="Probabilities of the eight subtypes"),
    )
    blocks += [table for table in tables if table]
    note = f"{_NOTE} {_SUBTYPE_NOTE}" if tables[1] else _NOTE
    return Section(
        "calibration",
        "Calibration",
        "Can its probabilities be believed?",
        (*blocks, Footnote(note), Plots("calibration")),
    )


def _temperature_text(inputs: ReportInputs, protocol: Protocol) -> str:
    document = inputs.metrics.document
    block = numbers_in(document, "binary", "temperature")
    if not block or not is_fitted(document):
        return "None was fitted here: these are the probabilities as they were given, and nothing has corrected them."
    pooled = f"{decimal_of(block.get('image'), 2)} for images, {decimal_of(block.get('case'), 2)} for cases"
    fitted = numbers_in(block, "cross_fitted")
    ranges = [f"{range_text(fitted[level])} for {level}s" for level in ("image", "case") if fitted.get(level)]
    text = (
        "Logits are divided by a number before they become probabilities: above 1 it makes the classifier less sure."
        f" {'Shipped, fitted' if is_shipped(inputs) else 'Fitted'} on all out-of-fold predictions: {pooled}; one number"
        " for all images never changes their order."
    )
    if ranges:
        part = part_name(inputs)
        text += (
            f" Reported on this page is the cross-fitted one, each {part} with that of the others: {'; '.join(ranges)}."
            f" The probabilities of different {part}s are divided by different numbers, which can change their order"
            f" between {part}s; AUROC ranks by the logits."
        )
    return " ".join([text, *_where_worse(document, protocol)])


def _where_worse(document: Mapping[str, Any], protocol: Protocol) -> list[str]:
    """Say where the cross-fitted temperature made the log loss larger than none."""
    sentences = []
    for task, level, units in (
        ("binary", "image", "images"),
        ("binary", "case", "cases"),
        ("subtype", "image", _SUBTYPES),
    ):
        stages = numbers_in(document, task, protocol, level, "calibration")
        before, after = (number_of(numbers_in(stages, stage), "log_loss") for stage in ("before", "after"))
        if before.value is not None and after.value is not None and after.value > before.value + _LEAST_LOSS:
            sentences.append(
                f"For {units} it made things worse: log loss {before.value_text} before, {after.value_text} after."
            )
    return sentences


def _reading(document: Mapping[str, Any], protocol: Protocol) -> str:
    sentences = []
    for level in ("image", "case"):
        after = numbers_in(document, "binary", protocol, level, "calibration", "after")
        slope = number_of(after, "slope")
        if slope.value is not None:
            sentences.append(f"Per {level}, the slope after temperature is {spelled(slope)}: {_meaning(slope)}.")
        sentences += _lean(number_of(after, "intercept"), level)
    return " ".join(sentences)


def _lean(intercept: Number, level: str) -> list[str]:
    if intercept.low is not None and intercept.low > 0:
        return [f"The intercept is above 0: of {level}s with a probability of 0.5, more than half are malignant."]
    if intercept.high is not None and intercept.high < 0:
        return [f"The intercept is below 0: of {level}s with a probability of 0.5, fewer than half are malignant."]
    return []


def _meaning(slope: Number) -> str:
    if slope.low is None or slope.high is None:
        return "without an interval it cannot be judged"
    if slope.high <= 0:
        return "the probabilities point the wrong way"
    if slope.low <= 0:
        return "its interval includes 0, so these probabilities cannot be told from ones that say nothing"
    if slope.low > 1:
        return "the classifier is less sure than it could be"
    return (
        "the classifier is too sure of itself" if slope.high < 1 else "no sign that it is too sure, or not sure enough"
    )


def calibration_table(document: Mapping[str, Any], task: Task, *, protocol: Protocol, caption: str) -> Table | None:
    """Return the measures of calibration, a column for images and cases before and after; None where there are none."""
    levels = dict(_levels(document, task, protocol))
    columns = tuple(Column(*title) for title in levels)
    rows = tuple(
        Row(
            Cell(name, (note,)),
            tuple(metric_cell(number_of(block, metric), usual=_usual(block)) for block in levels.values()),
        )
        for metric, (name, note) in _ROWS.items()
        if any(number_of(block, metric).value is not None for block in levels.values())
    )
    return Table(caption, "Measure", columns, rows, "broad") if rows else None


def _levels(
    document: Mapping[str, Any], task: Task, protocol: Protocol
) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    for level in ("image", "case"):
        values = level_of(document, task, protocol=protocol, level=level)
        stages = numbers_in(values, "calibration")
        found = {words: block for stage, words in _STAGES if (block := numbers_in(stages, stage))}
        if not found and values is not None and task == "binary":
            found = {"": values}
        for words, block in found.items():
            title = f"Per {_unit(task, level)}" + (f", {words}" if len(found) > 1 else "")
            yield (title, _usual(block)), block


def _unit(task: Task, level: str) -> str:
    return "case and subtype" if (task, level) == ("subtype", "case") else level


def _usual(block: Mapping[str, Any]) -> str:
    return number_of(block, "brier").counts_text
