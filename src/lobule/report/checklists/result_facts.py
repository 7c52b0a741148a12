"""Facts of the results: how good, how sure, and where wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lobule.report.numbers import (
    METRIC_NAMES,
    count,
    headline_protocol,
    level_of,
    magnification_name,
    magnifications_of,
    number_of,
    percent,
)
from lobule.report.sections.abstention import is_attained, is_calibrated
from lobule.report.theme import display_name

if TYPE_CHECKING:
    from lobule.evaluation.predictions import Protocol
    from lobule.report.inputs import ReportInputs
    from lobule.taxonomy import Task

__all__ = ["result_facts"]

_HOW: Final = {"folds": "out of fold", "holdout": "on the holdout", "predict": "on the predictions as given"}
_SHOWN: Final[dict[Task, tuple[str, ...]]] = {
    "binary": ("auroc", "average_precision", "balanced_accuracy", "accuracy", "f1", "mcc"),
    "subtype": ("balanced_accuracy", "accuracy", "macro_f1"),
}


def result_facts(inputs: ReportInputs) -> dict[str, str]:
    """Return the facts of the results; empty where nothing was measured."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    if protocol is None:
        return {}
    image = level_of(document, "binary", protocol=protocol, level="image")
    return {
        "performance": _performance(document),
        "diagnostic": _levels(document, "binary", protocol, ("auroc", "recall", "specificity", "precision")),
        "calibration": _calibration(document, protocol),
        "abstention": f"{_abstention(document, protocol)} {_verdicts(inputs, protocol)}".strip(),
        "by_magnification": _by_magnification(image),
        "beside_rivals": _beside_rivals(document, protocol),
        "errors": _errors(image),
        "scored": f"Scored, {_HOW[protocol]}: {number_of(image, 'accuracy').counts_text}.",
        **_methods(inputs, document),
    }


def _methods(inputs: ReportInputs, document: Mapping[str, Any]) -> dict[str, str]:
    config: Any = inputs.config
    replicates = f"{config.report.bootstrap:,} replicates, " if config is not None else ""
    rivals = ", ".join(display_name(name) for name in document.get("controls") or {})
    binary = document.get("binary") or {}
    return {
        "measures": (
            "Discrimination: AUROC, average precision. Decisions: accuracy, balanced accuracy, sensitivity, "
            "specificity, precision, F1, Matthews correlation, patient recognition rate. Probabilities: Brier score, "
            "log loss, expected calibration error. Subtypes: accuracy, balanced accuracy, macro F1, Cohen's kappa. By "
            "image and by case."
        ),
        "uncertainty": (
            f"95 % intervals of a bootstrap that resamples cases, stratified by label ({replicates}since images of one "
            "case are not independent); for proportions of cases those of Clopper and Pearson; none where a class that "
            "the measure needs has fewer than 5 cases or nothing varies, and none of the calibration error. No "
            "significance tests."
        ),
        "rivals": f"The same measures for controls: {rivals}." if rivals else "",
        "robustness": _robustness(document, rivals),
        "clusters": (
            "The only clusters known are cases: intervals resample them. Centre, scanner and laboratory are not known "
            "to the program."
        ),
        "fairness": "Age, sex, ethnicity and the like are not in the data, so performance by them is not known.",
        "output": _output(document, decided=config is not None),
        "threshold": f"{_threshold(binary)}{_kept_by_the_bundle(inputs)}".strip(),
        "recalibration": _recalibration(binary, trained=inputs.split is not None),
    }


def _performance(document: Mapping[str, Any]) -> str:
    parts = []
    for task, names in _SHOWN.items():
        if (protocol := headline_protocol(document, task)) is not None:
            parts.append(_levels(document, task, protocol, names))
    return " ".join(parts)


def _levels(document: Mapping[str, Any], task: Task, protocol: Protocol, names: tuple[str, ...]) -> str:
    what = "Benign or malignant" if task == "binary" else "Subtypes"
    listed = []
    for level in ("image", "case"):
        values = level_of(document, task, protocol=protocol, level=level)
        numbers = [
            f"{METRIC_NAMES[name]} {number_of(values, name)}"
            for name in names
            if number_of(values, name).value is not None
        ]
        if numbers:
            listed.append(f"by {level} ({number_of(values, 'accuracy').counts_text}) {', '.join(numbers)}")
    return f"{what}, {_HOW[protocol]}: {'; '.join(listed)}." if listed else ""


def _calibration(document: Mapping[str, Any], protocol: Protocol) -> str:
    parts = []
    for level in ("image", "case"):
        values = level_of(document, "binary", protocol=protocol, level=level) or {}
        stages = values.get("calibration") or {"": values}
        for stage in ("", "before", "after"):
            measured = stages.get(stage) or {}
            names = [name for name in ("brier", "log_loss", "ece", "slope", "intercept") if measured.get(name)]
            listed = ", ".join(f"{METRIC_NAMES.get(name, name)} {number_of(measured, name)}" for name in names)
            when = f" {stage} temperature scaling" if stage else ""
            parts += [f"by {level}{when}: {listed}"] if listed else []
    return f"Calibration {'; '.join(parts)}." if parts else ""


def _abstention(document: Mapping[str, Any], protocol: Protocol) -> str:
    sets = (level_of(document, "binary", protocol=protocol, level="image") or {}).get("conformal")
    if not sets:
        return ""
    if not is_calibrated(sets):
        return "No label sets were calibrated."
    if not is_attained(sets):
        return f"Label sets at alpha {sets.get('alpha')}: too few cases for a guarantee, none is claimed."
    coverage, shares = sets.get("coverage") or {}, sets.get("shares") or {}
    return (
        f"Label sets at alpha {sets.get('alpha')}: coverage of benign {number_of(coverage, 'benign')}, of malignant "
        f"{number_of(coverage, 'malignant')}; both labels {percent(shares.get('both'))}, none "
        f"{percent(shares.get('none'))}."
    )


def _by_magnification(image: Mapping[str, Any] | None) -> str:
    strata = [(key, values) for key, values in magnifications_of(image) if number_of(values, "auroc").value is not None]
    listed = "; ".join(
        f"{magnification_name(key)} {number_of(values, 'auroc')} ({number_of(values, 'auroc').counts_text})"
        for key, values in strata
    )
    return f"AUROC by magnification: {listed}." if len(strata) > 1 else ""


def _beside_rivals(document: Mapping[str, Any], protocol: Protocol) -> str:
    parts = []
    for name, control in (document.get("controls") or {}).items():
        auroc = number_of(level_of(control, "binary", protocol=protocol, level="image"), "auroc")
        difference = ((control.get("difference") or {}).get("binary") or {}).get(protocol, {}).get("image")
        ahead = number_of(difference, "auroc")
        if auroc.value is not None:
            parts.append(
                f"{display_name(name)} {auroc}" + (f" (difference {ahead})" if ahead.value is not None else "")
            )
    return f"AUROC of the controls by image: {'; '.join(parts)}." if parts else ""


def _errors(image: Mapping[str, Any] | None) -> str:
    counts = ((image or {}).get("confusion_matrix") or {}).get("counts")
    if not counts:
        return ""
    (benign, false_alarms), (missed, malignant) = counts
    return (
        f"{missed:,} of {count(missed + malignant, 'malignant image')} were called benign, {false_alarms:,} of "
        f"{count(benign + false_alarms, 'benign image')} malignant; a run's report shows the worst with heat maps."
    )


def _verdicts(inputs: ReportInputs, protocol: Protocol) -> str:
    frame = inputs.predictions.frame
    verdicts = frame.loc[frame["protocol"] == protocol, "verdict"].value_counts()
    listed = ", ".join(f"{verdicts[name]:,} {name}" for name in ("uncertain", "not assessable") if name in verdicts)
    return f"Images without a label as verdict: {listed}." if listed else ""


def _output(document: Mapping[str, Any], *, decided: bool) -> str:
    subtypes = " and a probability of each of eight subtypes" if document.get("subtype") else ""
    verdict = "; a verdict: benign, malignant, uncertain or not assessable" if decided else ""
    return f"P(malignant){subtypes}{verdict}."


def _robustness(document: Mapping[str, Any], rivals: str) -> str:
    parts = ["by magnification and by subtype"] + ([f"against controls ({rivals})"] if rivals else [])
    return f"The results were taken apart {' and '.join(parts)}."


def _threshold(binary: Mapping[str, Any]) -> str:
    threshold = binary.get("threshold") or {}
    value, rule = threshold.get("value"), threshold.get("rule")
    if not isinstance(value, int | float):
        return ""
    case = threshold.get("case")
    of_case = f" (of a case: {case:.3g})" if isinstance(case, int | float) else ""
    return f"Malignant from a probability of {value:.3g} on{of_case}; rule: {rule}."


def _kept_by_the_bundle(inputs: ReportInputs) -> str:
    if not inputs.rescored or inputs.split is None:
        return ""
    return " The predictions were scored again: the run's own bundle keeps the values that it was shipped with."


def _recalibration(binary: Mapping[str, Any], *, trained: bool) -> str:
    temperature = (binary.get("temperature") or {}).get("image")
    if not isinstance(temperature, int | float) or temperature == 1:
        return "Nothing was updated." if trained else ""
    scaling = f"emperature scaling, fitted on out-of-fold logits of other folds (of all of them: {temperature:.3g})."
    return f"Nothing was updated after development, to which belongs t{scaling}" if trained else f"T{scaling}"
