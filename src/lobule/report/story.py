"""What the page says in sentences, with the run's own numbers in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lobule.config import Config
from lobule.report.inputs import ReportInputs
from lobule.report.numbers import Number, count, headline_protocol, level_of, number_of, percent
from lobule.report.theme import display_name
from lobule.taxonomy import LABELS, SUBTYPES

if TYPE_CHECKING:
    from lobule.data.audit import Audit
    from lobule.data.manifest import Manifest
    from lobule.evaluation.predictions import Protocol

__all__ = [
    "BREAKHIS_CITATION",
    "answer",
    "audit_lines",
    "chosen_model",
    "intended_use",
    "is_breakhis",
    "limits",
    "threshold_of",
    "what_was_done",
]

BREAKHIS_CITATION = (
    "F. A. Spanhol, L. S. Oliveira, C. Petitjean, L. Heutte. A Dataset for Breast Cancer Histopathological Image "
    "Classification. IEEE Transactions on Biomedical Engineering 63(7):1455–1462, 2016. doi:10.1109/TBME.2015.2496264"
)

_FEW_CASES = 5
_FINDINGS_SHOWN = 5
_KIND_NAMES = {
    "identical_pixels": "identical pixels under several names",
    "subtype_conflict": "identical pixels under several subtypes",
    "label_conflict": "identical pixels under both labels",
    "near_duplicates": "one picture in several versions",
    "near_subtype_conflict": "versions of one picture under several subtypes",
    "near_label_conflict": "versions of one picture under both labels",
    "case_with_both_labels": "a case with benign and malignant images",
    "attribute_predicts_label": "something other than tissue that predicts the label",
}


def answer(inputs: ReportInputs) -> str:
    """Return the result in one or two sentences: how good, how sure, on how much."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    if protocol is None:
        return "No image with a known label was scored, so nothing can be said about how good this classifier is."
    image = level_of(document, "binary", protocol=protocol, level="image")
    case = level_of(document, "binary", protocol=protocol, level="case")
    auroc, of_cases = number_of(image, "auroc"), number_of(case, "auroc")
    text = f"{_tested_on(inputs, protocol)} the model told malignant from benign with an AUROC of "
    text += f"{_spelled(auroc)} per image"
    text += f" and {_spelled(of_cases)} per case" if of_cases.value is not None else ""
    recall, specificity = number_of(image, "recall"), number_of(image, "specificity")
    if recall.value is not None and specificity.value is not None:
        text += (
            f". It called {percent(recall.value)} of the malignant images malignant"
            f"{_interval_in_percent(recall)} and {percent(specificity.value)} of the benign ones benign"
            f"{_interval_in_percent(specificity)}"
        )
    return f"{text}. {_scored_on(inputs, protocol)}"


def _tested_on(inputs: ReportInputs, protocol: Protocol) -> str:
    if inputs.split.group_by == "image":
        return "On images whose cases it had seen in training,"
    if protocol == "holdout":
        return f"On one held-out part of the data, with no {inputs.split.group_by} of the training part in it,"
    return f"On {inputs.split.group_by}s it had not seen,"


def _spelled(number: Number) -> str:
    if number.value is None:
        return "– (not defined)"
    if number.has_interval:
        return f"{number.value_text} (95\u00a0% interval {number.interval_text})"
    return f"{number.value_text} (too few cases for an interval)"


def _interval_in_percent(number: Number) -> str:
    if number.low is None or number.high is None:
        return ""
    return f" ({100 * number.low:.0f}–{percent(number.high)})"


def _scored_on(inputs: ReportInputs, protocol: Protocol) -> str:
    frame = inputs.predictions.select(protocol).frame
    frame = frame[frame["label"].isin(LABELS) & frame["prob_malignant"].notna()]
    cases = frame.groupby("label")["case_id"].nunique()
    patients = frame.loc[frame["patient_id"] != "", "patient_id"].nunique()
    parts = [count(len(frame), "image"), f"{count(patients, 'patient id')}" if patients else ""]
    parts.append(count(int(frame["case_id"].nunique()), "case"))
    listed = ", ".join(part for part in parts if part)
    return f"Scored: {listed} ({int(cases.get('benign', 0))} benign, {int(cases.get('malignant', 0))} malignant)."


def what_was_done(inputs: ReportInputs) -> list[tuple[str, str]]:
    """Return the method in three plain paragraphs, each with the word it is about."""
    return [("Split", _protocol_text(inputs)), ("Model", _model_text(inputs)), ("Measures", _measurement_text(inputs))]


def _protocol_text(inputs: ReportInputs) -> str:
    frame, unit = inputs.manifest.frame, inputs.split.group_by
    folds = len(inputs.split.folds)
    images, cases = count(len(frame), "image"), count(int(frame["case_id"].nunique()), "case")
    share = percent(len(inputs.split.validation) / max(1, len(frame)))
    present = set(inputs.predictions.frame["protocol"])
    text = f"{images} of {cases} were divided by {unit}: all images of one {unit} always stay together."
    if "folds" in present:
        text += (
            f" Out of fold (the headline): the {unit}s were dealt into {folds} folds and {folds} models were trained,"
            f" each on {folds - 1} folds; every image was scored once, by the model that had seen no image of its"
            f" {unit}."
        )
    if "holdout" in present:
        text += (
            f" Holdout: separately, one model was trained with {share} of the images held out for validation; its"
            " learning curves are shown below, and its numbers rest on fewer cases, so they are less certain."
        )
    return text


def _model_text(inputs: ReportInputs) -> str:
    config, features = inputs.config, inputs.config.features
    weights = {"imagenet": "ImageNet weights", "none": "seeded random filters"}.get(features.weights, "given weights")
    blocks = config.finetune.blocks
    tuned = f"its last {count(blocks, 'block')} fine-tuned" if blocks else "frozen"
    seen = count(len(features.views), "fixed view")
    return (
        f"Each image went through a {features.backbone} network ({weights}, {tuned}) in {seen}. Its last feature map"
        f" was averaged, standardised with statistics of the training images, and given to {_head_text(config)},"
        f" trained with Adam: {_tasks_text(inputs)}{_epochs_text(inputs.chosen_epochs)}."
    )


def _tasks_text(inputs: ReportInputs) -> str:
    binary = "for benign or malignant (sigmoid, binary cross-entropy)"
    if not inputs.manifest.frame["subtype"].isin(SUBTYPES).any():
        return f"one {binary}"
    return f"one {binary}, another for the eight tumour subtypes (softmax, categorical cross-entropy)"


def _head_text(config: Config) -> str:
    if not config.head.hidden:
        return "a linear output layer"
    return f"a fully connected head ({config.head.hidden} units, dropout {config.head.dropout:g})"


def _epochs_text(epochs: Mapping[str, int]) -> str:
    parts = [f"{epochs[task]} for {name}" for task, name in (("binary", "the label"), ("subtype", "the subtype"))
             if task in epochs]  # fmt: skip
    return f"; epochs, chosen over the folds: {' and '.join(parts)}" if parts else ""


def _measurement_text(inputs: ReportInputs) -> str:
    threshold = threshold_of(inputs.metrics.document)
    text = (
        "Intervals cover 95\u00a0%: a bootstrap that resamples whole cases, since images of one case are not"
        f" independent ({inputs.config.report.bootstrap:,} replicates); proportions of cases have exact ones (Clopper"
        " and Pearson). A case's probability comes from the mean log-odds of its images."
    )
    if threshold is not None:
        text += f" An image counts as malignant from a probability of {threshold:.3g} on."
    return text + " AUROC 0.5 and balanced accuracy 0.5 (0.125 for eight subtypes) are what guessing gives."


def threshold_of(document: Mapping[str, Any]) -> float | None:
    """Return the probability from which on an image is called malignant, where the metrics tell it."""
    threshold = ((document.get("binary") or {}).get("threshold") or {}).get("value")
    return float(threshold) if isinstance(threshold, int | float) else None


def audit_lines(audit: Audit) -> list[tuple[str, list[str]]]:
    """Return, for each kind of finding, how many there are and the first few in words."""
    lines = []
    for kind in dict.fromkeys(finding.kind for finding in audit.findings):
        of_kind = [finding for finding in audit.findings if finding.kind == kind]
        messages = [finding.message for finding in of_kind[:_FINDINGS_SHOWN]]
        if len(of_kind) > _FINDINGS_SHOWN:
            messages.append(f"and {len(of_kind) - _FINDINGS_SHOWN:,} more, listed in audit.json")
        lines.append((f"{len(of_kind):,} × {_KIND_NAMES.get(kind, display_name(kind))}", messages))
    return lines


def limits(inputs: ReportInputs) -> list[str]:
    """Return what these numbers do not show, one sentence or two each."""
    frame = inputs.manifest.frame
    cases = frame.groupby("label")["case_id"].nunique()
    smallest = min(LABELS, key=lambda label: int(cases.get(label, 0)))
    found = [
        f"Only {count(int(cases.get(smallest, 0)), f'{smallest} case')} stand behind every number: the intervals, not"
        " the values, are the result.",
        "All numbers come from one data set. Other scanners, stains, laboratories or patients can give other results;"
        " nothing here was validated on outside data.",
        "The images are regions chosen by people, not whole slides; how the classifier behaves on tissue that nobody"
        " chose is not known.",
        "A heat map shows where the network's evidence came from. It does not outline tumour, and a plausible map does"
        " not make a prediction right.",
        "Probabilities are the network's own; see the calibration figure before reading 0.9 as nine in ten.",
    ]
    found += [*_limits_of_subtypes(inputs), *_limits_of_colour(inputs)]
    if is_breakhis(inputs.manifest) and not inputs.synthetic:
        found.append(
            "BreakHis comes from one laboratory; 82 patient folders are 70 case numbers, and published results that"
            " split by image or by folder are not comparable with those on this page."
        )
    return found


def _limits_of_subtypes(inputs: ReportInputs) -> list[str]:
    frame = inputs.manifest.frame
    if not frame["subtype"].isin(SUBTYPES).any():
        return ["Subtypes are not known in this data set, so no subtype was learned."]
    cases = frame.groupby("subtype")["case_id"].nunique()
    few = [f"{display_name(name)} ({int(cases.get(name, 0))})" for name in SUBTYPES if cases.get(name, 0) < _FEW_CASES]
    return [f"Subtypes with fewer than {_FEW_CASES} cases cannot be judged: {', '.join(few)}."] if few else []


def _limits_of_colour(inputs: ReportInputs) -> list[str]:
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    control = (document.get("controls") or {}).get("colour_only")
    if protocol is None or not control:
        return []
    own = number_of(level_of(document, "binary", protocol=protocol, level="image"), "auroc")
    colour = number_of(level_of(control, "binary", protocol=protocol, level="image"), "auroc")
    if colour.value is None or own.low is None or colour.value < own.low:
        return []
    return [
        f"Fifteen colour numbers alone reach an AUROC of {colour}, within the interval of this model: part of its"
        " success may be the stain of a batch, not the tissue."
    ]


def intended_use() -> tuple[str, str]:
    """Return what a Lobule model is for and what it must not be used for."""
    return (
        "Research on H&E-stained breast tissue images: comparing methods, teaching, pre-sorting research images whose"
        " labels a pathologist checks.",
        "Diagnosis, screening, triage or treatment of any person; tissue other than breast; stains other than H&E;"
        " magnifications other than those it was trained on; use without a person who checks the result.",
    )


def is_breakhis(manifest: Manifest) -> bool:
    """Tell whether most file names follow the BreakHis grammar."""
    from lobule.data.breakhis import parse_name

    names = [path.rsplit("/", 1)[-1] for path in manifest.frame["path"].astype(str)]
    return bool(names) and sum(parse_name(name) is not None for name in names) > len(names) / 2


def chosen_model(inputs: ReportInputs) -> str:
    """Return the id of the model that made the headline predictions, or an empty text."""
    names = sorted({name for name in inputs.predictions.frame["model_id"] if name})
    return names[0] if len(names) == 1 else ""
