"""What these numbers do not show, and what a model like this is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from lobule.report.numbers import (
    count,
    difference_of,
    headline_protocol,
    level_of,
    number_of,
    numbers_in,
    spelled,
)
from lobule.report.sections.abstention import is_calibrated
from lobule.report.sections.thresholds import is_fitted
from lobule.report.theme import display_name
from lobule.taxonomy import LABELS, SUBTYPES

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = ["BREAKHIS_CITATION", "intended_use", "is_breakhis", "limits"]

BREAKHIS_CITATION: Final = (
    "F. A. Spanhol, L. S. Oliveira, C. Petitjean, L. Heutte. A Dataset for Breast Cancer Histopathological Image "
    "Classification. IEEE Transactions on Biomedical Engineering 63(7):1455–1462, 2016. doi:10.1109/TBME.2015.2496264"
)
_FEW_CASES: Final = 5


def limits(inputs: ReportInputs) -> list[str]:
    """Return what these numbers do not show, one sentence or two each."""
    frame = inputs.images
    cases = frame.groupby("label")["case_id"].nunique()
    smallest = min(LABELS, key=lambda label: int(cases.get(label, 0)))
    found = [
        f"Only {count(int(cases.get(smallest, 0)), f'{smallest} case')} stand behind every number: the intervals, not"
        " the values, are the result."
        if cases.get(smallest, 0)
        else f"No {smallest} case is there: nothing on this page says how the classifier does on one.",
        "All numbers come from one data set. Other scanners, stains, laboratories or patients can give other results;"
        " nothing here was validated on outside data.",
        "The images are regions chosen by people, not whole slides; how the classifier behaves on tissue that nobody"
        " chose is not known.",
        *_of_probabilities(inputs),
        *_of_colour(inputs),
        *_of_subtypes(inputs),
    ]
    if inputs.gallery:
        found.append(
            "A heat map shows where the network's evidence came from. It does not outline tumour, and a plausible map"
            " does not make a prediction right."
        )
    if is_breakhis(frame["path"]) and not inputs.synthetic:
        found.append(
            "BreakHis comes from one laboratory; 82 patient folders are 70 case numbers, and published results that"
            " split by image or by folder are not comparable with those on this page."
        )
    return found


def _of_probabilities(inputs: ReportInputs) -> Iterator[str]:
    document = inputs.metrics.document
    if is_fitted(document):
        yield (
            "Probabilities, threshold and label sets were calibrated on this data set. Where tumours are more or less"
            " frequent, or images look otherwise, the same probability means something else."
        )
    else:
        yield "Probabilities are the classifier's own; see the calibration before reading 0.9 as nine in ten."
    protocol = headline_protocol(document)
    sets = numbers_in(document, "binary", protocol or "", "case", "conformal")
    attainable = numbers_in(sets, "attainable") if is_calibrated(sets) else {}
    if missing := [label for label in LABELS if attainable.get(label) is False]:
        yield f"The label sets promise nothing for {' or '.join(missing)} cases: there are too few of them."


def _of_subtypes(inputs: ReportInputs) -> list[str]:
    frame = inputs.images
    if not frame["subtype"].isin(SUBTYPES).any():
        return ["Subtypes are not known in this data set, so no subtype was learned." if inputs.split else
                "Subtypes are not known in these predictions."]  # fmt: skip
    cases = frame.groupby("subtype")["case_id"].nunique()
    few = [f"{display_name(name)} ({int(cases.get(name, 0))})" for name in SUBTYPES if cases.get(name, 0) < _FEW_CASES]
    return [f"Subtypes with fewer than {_FEW_CASES} cases cannot be judged: {', '.join(few)}."] if few else []


def _of_colour(inputs: ReportInputs) -> list[str]:
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    control = numbers_in(document, "controls", "colour_only")
    if protocol is None or not control:
        return []
    own = number_of(level_of(document, "binary", protocol=protocol, level="image"), "auroc")
    colour = number_of(level_of(control, "binary", protocol=protocol, level="image"), "auroc")
    gain = difference_of(control, "binary", "auroc", protocol=protocol, level="image")
    if gain.low is not None:
        is_clear = gain.low > 0
    else:
        is_clear = colour.value is None or own.low is None or colour.value < own.low
    if is_clear:
        return []
    return [
        f"Fifteen colour numbers alone reach an AUROC of {spelled(colour)}, which this model does not clearly beat:"
        " part of its success may be the stain of a batch, not the tissue."
    ]


def intended_use() -> tuple[str, str]:
    """Return what a Lobule model is for and what it must not be used for."""
    return (
        "Research on H&E-stained breast tissue images: comparing methods, teaching, pre-sorting research images whose"
        " labels a pathologist checks.",
        "Diagnosis, screening, triage or treatment of any person; tissue other than breast; stains other than H&E;"
        " magnifications other than those it was trained on; use without a person who checks the result.",
    )


def is_breakhis(paths: Iterable[str]) -> bool:
    """Tell whether most file names follow the BreakHis grammar."""
    from lobule.data.breakhis import parse_name

    names = [str(path).rsplit("/", 1)[-1] for path in paths]
    return bool(names) and sum(parse_name(name) is not None for name in names) > len(names) / 2
