"""From probability to label: the rule, what is shipped, and what each fold was judged with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from lobule.report.blocks import Block, Footnote, Paragraph, Section
from lobule.report.cells import Cell, Column, Row, Table
from lobule.report.numbers import decimal_of, headline_protocol, numbers_in

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = ["fitted_table", "is_fitted", "is_shipped", "part_name", "range_text", "threshold_of", "threshold_section"]

_POOLED: Final = "fitted on all out-of-fold predictions."
_OF_PART: Final = "{Part} k: fitted on the other {part}s, used to judge {part} k."
_DRAWN: Final = " Groups are of cases, drawn here, since the predictions are of no folds that keep cases together."
_OF_HOLDOUT: Final = "Holdout: fitted on out-of-fold predictions of cases that are not in it."
_IN_THE_BUNDLE: Final = (
    "These predictions were scored again: the run's own bundle keeps the values that it was shipped with."
)


def threshold_of(document: Mapping[str, Any], level: str = "image") -> float | None:
    """Return the probability from which on an image, or a case, is called malignant, where the metrics tell it."""
    block = numbers_in(document, "binary", "threshold")
    found = block.get("value") if level == "image" else block.get("case", block.get("value"))
    return float(found) if isinstance(found, int | float) else None


def threshold_section(inputs: ReportInputs) -> Section | None:
    """Return how a probability becomes a label; None where the metrics do not tell."""
    document = inputs.metrics.document
    of_image, of_case = threshold_of(document), threshold_of(document, "case")
    if of_image is None:
        return None
    blocks: list[Block] = [Paragraph(_text(inputs, of_image, of_case))]
    if (table := fitted_table(document, shipped=is_shipped(inputs), part=part_name(inputs))) is not None:
        blocks += [table, Footnote(_note(table, part_name(inputs)))]
    return Section("threshold", "Threshold", "From probability to label", tuple(blocks))


def is_shipped(inputs: ReportInputs) -> bool:
    """Tell whether the values of these metrics are those of the run's bundle."""
    return inputs.split is not None and not inputs.rescored


def part_name(inputs: ReportInputs) -> Literal["fold", "group"]:
    """Return what was judged by values that were fitted on the others: folds, or groups of cases that were drawn.

    Folds that divide a case, or are not numbered, judge nothing; see `lobule.evaluation.decision.decide`.
    """
    from lobule.evaluation.decision.decide import cases_in_several_folds

    held_out = inputs.predictions.select("folds")
    fold = held_out.frame["fold"]
    is_numbered = not fold.isna().any() and fold.nunique() > 1
    return "fold" if is_numbered and not cases_in_several_folds(held_out) else "group"


def _note(table: Table, part: str) -> str:
    titles = [column.title for column in table.columns]
    drawn = _DRAWN if part == "group" else ""
    of_part = _OF_PART.format(Part=part.capitalize(), part=part) + drawn
    return " ".join([f"{titles[0]}: {_POOLED}", of_part, *([_OF_HOLDOUT] if "Holdout" in titles else [])])


def is_fitted(document: Mapping[str, Any]) -> bool:
    """Tell whether temperatures were fitted, so that there are probabilities before and after."""
    return bool(numbers_in(document, "binary", headline_protocol(document) or "", "image", "calibration", "after"))


def _text(inputs: ReportInputs, of_image: float, of_case: float | None) -> str:
    document = inputs.metrics.document
    block = numbers_in(document, "binary", "threshold")
    rule = str(block.get("rule") or "not stated").rstrip(".")
    is_fixed = rule.startswith("fixed")
    text = "" if is_fixed else f"Rule: {rule}. "
    text += f"An image is called malignant from a probability of {decimal_of(of_image)} on"
    text += f", a case from {decimal_of(of_case)} on." if of_case not in (None, of_image) else "; so is a case."
    fitted = numbers_in(block, "cross_fitted")
    own = f" {_IN_THE_BUNDLE}" if inputs.rescored and inputs.split is not None else ""
    if not fitted or is_fixed or headline_protocol(document) == "predict":
        return f"{text} This threshold was given, not chosen on these predictions.{own}"
    ranges = [f"{range_text(fitted[level])} for {level}s" for level in ("image", "case") if _numbers(fitted.get(level))]
    used = "This is what is shipped." if is_shipped(inputs) else "This is what a model decided by this rule would use."
    part = part_name(inputs)
    return (
        f"{text} {used}{own} It was not used to judge itself: each {part}'s labels come from a threshold chosen on the"
        f" other {part}s ({' and '.join(ranges)})."
    )


def fitted_table(document: Mapping[str, Any], *, shipped: bool = True, part: str = "fold") -> Table | None:
    """Return temperature and threshold of all folds together and as cross-fitted; None where nothing was fitted.

    Args:
        document: metrics.json.
        shipped: whether the values of all folds together are those of the run's bundle.
        part: fold or group, see `part_name`.
    """
    temperature, threshold = (numbers_in(document, "binary", name) for name in ("temperature", "threshold"))
    of_subtype = numbers_in(document, "subtype", "temperature")
    lines = (
        ("Temperature, images", temperature.get("image"), _fitted(temperature, "image")),
        ("Temperature, cases", temperature.get("case"), _fitted(temperature, "case")),
        ("Threshold, images", threshold.get("value"), _fitted(threshold, "image")),
        ("Threshold, cases", threshold.get("case"), _fitted(threshold, "case")),
        ("Temperature, subtypes", of_subtype.get("image"), _numbers(of_subtype.get("cross_fitted"))),
    )
    shown = [line for line in lines if line[2]]
    if not shown or not is_fitted(document):
        return None
    columns = max(len(values) for *_, values in shown)
    rows = tuple(
        Row(
            Cell(name),
            (Cell(decimal_of(pooled)), *(Cell(decimal_of(value)) for value in _padded(values, columns))),
        )
        for name, pooled, values in shown
    )
    first = "Shipped" if shipped else f"All {part}s"
    titles = _titles(first, part, columns, has_holdout=bool(numbers_in(document, "binary", "holdout")))
    caption = f"{'What is shipped' if shipped else f'Fitted on all {part}s'}, and what was used to judge"
    return Table(caption, "Fitted value", titles, rows)


def _titles(first: str, part: str, columns: int, *, has_holdout: bool) -> tuple[Column, ...]:
    """The last values judge the holdout, where there is one."""
    folds = columns - has_holdout
    names = [f"{part.capitalize()} {index}" for index in range(1, folds + 1)]
    return tuple(Column(name) for name in (first, *names, *(["Holdout"] if has_holdout else [])))


def _fitted(block: Mapping[str, Any], level: str) -> list[float]:
    return _numbers(numbers_in(block, "cross_fitted").get(level))


def _numbers(values: object) -> list[float]:
    return [float(value) for value in values if isinstance(value, int | float)] if isinstance(values, list) else []


def _padded(values: Sequence[float], length: int) -> list[float | None]:
    return [*values, *([None] * (length - len(values)))]


def range_text(values: object) -> str:
    """Return numbers as `0.52 to 0.61`, or as one where they agree."""
    found = _numbers(values)
    if not found:
        return "–"
    low, high = decimal_of(min(found), 2), decimal_of(max(found), 2)
    return low if low == high else f"{low} to {high}"
