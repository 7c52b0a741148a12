"""What was done: split, model and measures, in three plain paragraphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lobule.report.blocks import Paragraph, Section
from lobule.report.inputs import ReportInputs
from lobule.report.numbers import count, numbers_in, percent
from lobule.report.sections.thresholds import is_fitted, part_name, threshold_of
from lobule.taxonomy import SUBTYPES

if TYPE_CHECKING:
    from lobule.config import Config
    from lobule.data.split import Split

__all__ = ["method_section"]


def method_section(inputs: ReportInputs) -> Section:
    """Return how the numbers were made, as far as it is known."""
    blocks = [
        Paragraph(_split_text(inputs, inputs.split) if inputs.split else _foreign_text(inputs), "Split"),
        *([Paragraph(_model_text(inputs, inputs.config), "Model")] if inputs.config else []),
        Paragraph(_measures_text(inputs), "Measures"),
    ]
    return Section("method", "What was done", "What was done", tuple(blocks))


def _foreign_text(inputs: ReportInputs) -> str:
    frame = inputs.images
    return (
        f"{count(len(frame), 'image')} of {count(int(frame['case_id'].nunique()), 'case')} came with predictions made"
        " elsewhere. Which images the model was trained on, and whether their cases are apart from these, is not known."
    )


def _split_text(inputs: ReportInputs, split: Split) -> str:
    frame, unit, folds = inputs.images, split.group_by, len(split.folds)
    images, cases = count(len(frame), "image"), count(int(frame["case_id"].nunique()), "case")
    share = percent(len(split.validation) / max(1, len(frame)))
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


def _model_text(inputs: ReportInputs, config: Config) -> str:
    features, blocks = config.features, config.finetune.blocks
    weights = {"imagenet": "ImageNet weights", "none": "seeded random filters"}.get(features.weights, "given weights")
    tuned = f"its last {count(blocks, 'block')} fine-tuned" if blocks else "frozen"
    seen = count(len(features.views), "fixed view")
    return (
        f"Each image went through a {features.backbone} network ({weights}, {tuned}) in {seen}. Its last feature map"
        f" was averaged, standardised with statistics of the training images, and given to {_head_text(config)},"
        f" trained with Adam: {_tasks_text(inputs)}{_epochs_text(inputs.chosen_epochs)}."
    )


def _tasks_text(inputs: ReportInputs) -> str:
    binary = "for benign or malignant (sigmoid, binary cross-entropy)"
    if not inputs.images["subtype"].isin(SUBTYPES).any():
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


def _measures_text(inputs: ReportInputs) -> str:
    document = inputs.metrics.document
    replicates = f" ({inputs.config.report.bootstrap:,} replicates)" if inputs.config else ""
    text = (
        "Intervals cover 95\u00a0%: a bootstrap that resamples whole cases, since images of one case are not"
        f" independent{replicates}; proportions of cases have exact ones (Clopper and Pearson). A case's probability"
        " comes from the mean log-odds of its images."
    )
    threshold = threshold_of(document)
    if is_fitted(document):
        part = part_name(inputs)
        rule = str(numbers_in(document, "binary", "threshold").get("rule") or "")
        what = "Temperature and label sets" if rule.startswith("fixed") else "Temperature, threshold and label sets"
        text += f" {what} are cross-fitted: each {part} is judged with values that were fitted on the other {part}s."
    elif threshold is not None:
        text += f" An image counts as malignant from a probability of {threshold:.3g} on."
    return text + " AUROC 0.5 and balanced accuracy 0.5 (0.125 for eight subtypes) are what guessing gives."
