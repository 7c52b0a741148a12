"""When it says uncertain: label sets, what they promise, and what is gained by answering less."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from lobule.report.blocks import Block, Footnote, Heading, Paragraph, Plots, Section
from lobule.report.cells import Cell, Column, Row, Table, metric_cell
from lobule.report.numbers import Number, count, decimal_of, headline_protocol, number_of, numbers_in, percent
from lobule.report.sections.thresholds import is_shipped, part_name
from lobule.taxonomy import LABELS

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = [
    "abstention_section",
    "coverage_table",
    "is_attained",
    "is_calibrated",
    "kept_of",
    "promise_of",
    "risk_table",
    "shares_table",
    "verdicts_table",
]

_LEVELS: Final = ("image", "case")
_VERDICTS: Final = ("benign", "malignant", "uncertain")
_RISK_NOTE: Final = (
    "Answered in order of confidence: how far the log-odds of P(malignant) are from those of the threshold; images (or"
    " cases) that are equally sure are answered together. Area: mean share of errors over all shares answered; 0 is"
    " perfect, and the error rate of answering everything is what confidence that tells nothing would give."
)
_BY_FOLD: Final = "Cross-fitted: each fold's sets were calibrated on the other folds."
_BY_GROUP: Final = "Cross-fitted: the cases are in groups, and each group's sets were calibrated on the other groups."
_REFITTED: Final = "The shipped model was refitted on all cases, so for it these coverages are approximate."
_ELSEWHERE: Final = "They hold for cases like these, not for other laboratories."
_NOT_CALIBRATED: Final = "No label sets were calibrated here, so the verdict comes from the threshold."
_TOO_WIDE: Final = 0.1
_VERDICTS_NOTE: Final = (
    "Wrong verdicts: share of those that were called benign or malignant and are not. Whether an image would be refused"
    " is not counted here."
)


def abstention_section(inputs: ReportInputs) -> Section | None:
    """Return label sets and risk by coverage; None where the metrics have neither."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    levels = {level: numbers_in(document, "binary", protocol or "", level) for level in _LEVELS}
    blocks = [
        *_label_set_blocks(
            levels, folds=protocol == "folds" and part_name(inputs) == "fold", shipped=is_shipped(inputs)
        )
    ]
    if (table := risk_table(levels)) is not None:
        blocks += [Heading("What is gained by answering less"), table, Footnote(_RISK_NOTE)]
    if not blocks:
        return None
    return Section("abstention", "Uncertain", "When it says “uncertain”", (*blocks, Plots("abstention")))


def _label_set_blocks(levels: Mapping[str, Mapping[str, Any]], *, folds: bool, shipped: bool) -> Iterator[Block]:
    known = {level: block for level, values in levels.items() if (block := numbers_in(values, "conformal"))}
    if not known:
        return
    block = known.get("case") or known["image"]
    alpha = block.get("alpha")
    if not is_calibrated(block):
        yield Paragraph(_NOT_CALIBRATED, "Label sets")
    elif isinstance(alpha, int | float):
        yield Paragraph(_idea(float(alpha), str(block.get("score") or "")), "Label sets")
        yield Paragraph(promise_of(block, shipped=shipped), "Promise")
        if kept := kept_of(block):
            yield Paragraph(kept, "Kept")
    attained = {level: found for level, found in known.items() if is_attained(found)}
    coverage, shares = coverage_table(attained), shares_table(known)
    yield from (table for table in (coverage, shares) if table)
    notes = [_BY_FOLD if folds else _BY_GROUP] if coverage or shares else []
    notes += [*([_REFITTED] if shipped else []), _ELSEWHERE] if coverage else []
    if note := f"{' '.join(notes)}{_without(known)}".strip():
        yield Footnote(note)
    if (verdicts := verdicts_table(known)) is not None:
        yield from (verdicts, Footnote(_VERDICTS_NOTE))


def is_attained(block: Mapping[str, Any]) -> bool:
    """Tell whether label sets could be given to every unit of a level.

    Args:
        block: `conformal` of a level of metrics.json.
    """
    return all(found is True for found in map(numbers_in(block, "attainable").get, LABELS))


def is_calibrated(block: Mapping[str, Any]) -> bool:
    """Tell whether there was anything to calibrate label sets with.

    Args:
        block: `conformal` of a level of metrics.json.
    """
    cases = numbers_in(block, "calibration_cases")
    return is_attained(block) or not cases or any(cases.get(label) for label in LABELS)


def _without(known: Mapping[str, Mapping[str, Any]]) -> str:
    missing = [count(block["without_set"], level) for level, block in known.items() if block.get("without_set")]
    return f" Without a set, because too few cases calibrate it: {', '.join(missing)}." if missing else ""


def _idea(alpha: float, score: str) -> str:
    text = (
        "Beside its label, every image and every case gets the set of labels that fit. They are calibrated by case and"
        f" for each class apart, with alpha {alpha:.2g}: of new cases of a class like these, about {percent(1 - alpha)}"
        " should have their true label in the set, on average over calibrations; of images this holds approximately."
        " One label in the set is the verdict if the threshold gives the same; both, none, or one that contradicts the"
        " threshold make it “uncertain”."
    )
    return f"{text} Score: {score.rstrip('.')}." if score else text


def promise_of(block: Mapping[str, Any], *, shipped: bool = True) -> str:
    """Return in words what the label sets promise, and for which class there are too few cases to promise anything.

    Args:
        block: `conformal` of a level of metrics.json.
        shipped: whether these are the label sets of the run's bundle.
    """
    if not is_calibrated(block):
        return _NOT_CALIBRATED
    alpha = float(block["alpha"])
    attainable = numbers_in(block, "attainable")
    missing = [label for label in LABELS if attainable.get(label) is False]
    if not missing:
        return f"There are enough calibration cases of both classes to promise an alpha of {alpha:.2g}."
    needed = math.ceil(1 / alpha - 1 - 1e-9)
    calibrated = numbers_in(block, "calibration_cases")
    reasons = [_too_few(label, calibrated.get(label), needed) for label in missing]
    return (
        f"With n calibration cases of a class an alpha below 1/(n + 1) cannot be promised: alpha {alpha:.2g} needs"
        f" {needed}. {' '.join(reasons)} So no guarantee is claimed,{' no label sets are shipped,' if shipped else ''}"
        " and where there is no set the verdict comes from the threshold."
    )


def kept_of(block: Mapping[str, Any]) -> str:
    """Return in words how often the true label was in the set of a case, beside what was promised.

    Args:
        block: `conformal` of the level case of metrics.json.

    Returns:
        Nothing where some cases could not be given a set: those that could are not all that was promised for.
    """
    if not is_attained(block):
        return ""
    found = [(label, number_of(numbers_in(block, "coverage"), label)) for label in LABELS]
    parts = [_kept(label, number, 1 - float(block["alpha"])) for label, number in found if number.value is not None]
    return f"The true label was in the set of {', and of '.join(parts)}." if parts else ""


def _kept(label: str, coverage: Number, promised: float) -> str:
    text = f"{percent(coverage.value)} of {count(coverage.n_cases, f'{label} case')}"
    if coverage.low is None or coverage.high is None:
        return f"{text} (no interval, so it cannot be judged)"
    if coverage.high < promised:
        verdict = "less than promised"
    elif coverage.low < promised - _TOO_WIDE:
        verdict = "too few cases to tell whether the promise is kept"
    else:
        verdict = "in keeping with the promise"
    return f"{text} (95\u00a0% interval {100 * coverage.low:.0f}–{percent(coverage.high)}; {verdict})"


def _too_few(label: str, cases: object, needed: int) -> str:
    if not isinstance(cases, int) or cases >= needed:
        return f"There are fewer {label} ones."
    if not cases:
        return f"The smallest calibration group has no {label} case."
    found = count(cases, f"{label} case")
    return (
        f"With {found} in the smallest calibration group it cannot be below 1/{cases + 1} ="
        f" {decimal_of(1 / (cases + 1))}."
    )


def coverage_table(levels: Mapping[str, Mapping[str, Any]]) -> Table | None:
    """Return how often the true label was in the set, and how large the sets were, by class.

    Args:
        levels: level -> its `conformal` of metrics.json.
    """
    parts = [
        (f"Per {level}, {title}", numbers_in(block, part))
        for level, block in levels.items()
        for part, title in (("coverage", "coverage"), ("set_size", "labels in the set"))
    ]
    rows = []
    for name in (*LABELS, "all"):
        numbers = [number_of(values, name) for _, values in parts]
        usual = max((number.counts_text for number in numbers), key=len, default="")
        cells = tuple(metric_cell(number, usual=usual) for number in numbers)
        rows.append(Row(Cell(name.capitalize(), (usual,) if usual else ()), cells, strong=name == "all"))
    columns = tuple(Column(title) for title, _ in parts)
    has_values = any(cell.text != "–" for row in rows for cell in row.cells)
    return (
        Table("Label sets: empirical coverage and size", "True class", columns, tuple(rows), "broad")
        if has_values
        else None
    )


def shares_table(levels: Mapping[str, Mapping[str, Any]]) -> Table | None:
    """Return how many sets were of which kind.

    Args:
        levels: level -> its `conformal` of metrics.json.
    """
    names = {"benign": "Benign alone", "malignant": "Malignant alone", "both": "Both labels", "none": "No label"}
    rows = []
    for level, block in levels.items():
        shares = numbers_in(block, "shares")
        if any(isinstance(value, int | float) for value in shares.values()):
            rows.append(Row(Cell(f"Sets of {level}s"), tuple(Cell(_share(shares.get(name))) for name in names)))
    notes = ("benign if the threshold agrees", "malignant if the threshold agrees", "uncertain", "uncertain")
    columns = tuple(Column(*parts) for parts in zip(names.values(), notes, strict=True))
    return Table("Share of sets by what is in them", "Sets", columns, tuple(rows)) if rows else None


def verdicts_table(levels: Mapping[str, Mapping[str, Any]]) -> Table | None:
    """Return how many units of each class got which verdict; None where the metrics do not tell.

    Args:
        levels: level -> its `conformal` of metrics.json.
    """
    rows: list[Row] = []
    for level, block in levels.items():
        counts = {label: numbers_in(block, "verdicts", label) for label in LABELS}
        if not any(counts.values()):
            continue
        for label, found in counts.items():
            rows.append(Row(Cell(f"{label.capitalize()} {level}s"), (*_counted([found]), Cell(""))))
        wrong = metric_cell(number_of(block, "wrong_verdicts"))
        rows.append(Row(Cell(f"All {level}s"), (*_counted(counts.values()), wrong), strong=True))
    columns = (
        *(Column(f"Called {name}") for name in _VERDICTS),
        Column("Wrong verdicts", "of benign and malignant ones"),
    )
    return Table("Verdicts by true label", "True label", columns, tuple(rows)) if rows else None


def _counted(found: Iterable[Mapping[str, Any]]) -> tuple[Cell, ...]:
    blocks = list(found)
    return tuple(Cell(f"{sum(int(block.get(name) or 0) for block in blocks):,}") for name in _VERDICTS)


def risk_table(levels: Mapping[str, Mapping[str, Any]]) -> Table | None:
    """Return the accuracy when only the surest are answered.

    Args:
        levels: level -> level of metrics.json.
    """
    blocks = {level: block for level, values in levels.items() if (block := numbers_in(values, "risk_coverage"))}
    shares = sorted({float(key) for block in blocks.values() for key in numbers_in(block, "accuracy_at")}, reverse=True)
    if not shares:
        return None
    rows = []
    for level, block in blocks.items():
        at = {float(key): value for key, value in numbers_in(block, "accuracy_at").items()}
        cells = [Cell(_share(at.get(share))) for share in shares]
        rows.append(Row(Cell(f"{level.capitalize()}s"), (*cells, metric_cell(number_of(block, "area")))))
    columns = (*(Column(percent(share)) for share in shares), Column("Area", "mean share of errors"))
    return Table("Accuracy when only this share, the surest, is answered", "Units", columns, tuple(rows))


def _share(value: object) -> str:
    return percent(float(value)) if isinstance(value, int | float) else "–"
