"""Figures about probabilities, about answering less, and about changed images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from lobule.evaluation.levels import LEVELS
from lobule.report.frames_decisions import reliability_frame, risk_frame
from lobule.report.inputs import ReportInputs
from lobule.report.numbers import headline_protocol, number_of, numbers_in
from lobule.report.plots_decisions import draw_reliability, draw_risk_coverage
from lobule.report.plots_robustness import draw_robustness
from lobule.report.sections.robustness import UNCHANGED, changed_images
from lobule.report.sketch import PROTOCOL_WORDS, Sketch

if TYPE_CHECKING:
    from lobule.evaluation.decision.operating import Decisions

__all__ = ["calibration_sketches", "risk_sketches", "robustness_sketches"]


def calibration_sketches(inputs: ReportInputs, decisions: Decisions | None) -> Iterator[Sketch]:
    """Yield the reliability diagram of images and cases, before and after temperature."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    if protocol is None:
        return
    parts = [reliability_frame(inputs.predictions, decisions, protocol, level=level) for level in LEVELS]
    frame = pd.concat(parts, ignore_index=True)
    ece = number_of(numbers_in(document, "binary", protocol, "image"), "ece")
    changed = " Grey: before temperature." if "before" in set(frame["stage"]) else ""
    yield Sketch(
        name="reliability_binary",
        section="calibration",
        title=f"Reliability, {PROTOCOL_WORDS[protocol]}",
        caption="Images (left) and cases (right) in 15 bins of predicted probability; the larger a point, the more of"
        f" them. Below the diagonal the classifier was too sure of malignancy.{changed}",
        alt=f"Predicted probability against observed share of malignant; calibration error per image {ece}.",
        drawing=draw_reliability(frame),
    )


def risk_sketches(inputs: ReportInputs, decisions: Decisions | None) -> Iterator[Sketch]:
    """Yield the share of errors by share of answers, of images and cases; nothing where the metrics have none."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    if protocol is None or not numbers_in(document, "binary", protocol, "image", "risk_coverage"):
        return
    parts = [risk_frame(inputs.predictions, decisions, protocol, level=level) for level in LEVELS]
    frame = pd.concat(parts, ignore_index=True)
    yield Sketch(
        name="risk_coverage",
        section="abstention",
        title=f"Errors by share answered, {PROTOCOL_WORDS[protocol]}",
        caption="From left to right more is answered, the surest first. A useful confidence starts at 0 and rises late;"
        " dashed: the error rate of answering everything.",
        alt="Share of errors among the answered images and cases against the share that is answered.",
        drawing=draw_risk_coverage(frame),
        shape="narrow",
    )


def robustness_sketches(inputs: ReportInputs) -> Iterator[Sketch]:
    """Yield AUROC and changed answers by condition; nothing where they were not measured."""
    if inputs.robustness is None:
        return
    frame = changed_images(inputs.robustness)
    if (frame["condition"] != UNCHANGED).any():
        yield Sketch(
            name="robustness",
            section="robustness",
            title="Changed images",
            caption="Above: AUROC with its 95 % interval; dashed: unchanged. Below: share of images whose verdict is"
            " another than unchanged.",
            alt="AUROC and share of changed answers by condition; the table below has the same numbers.",
            drawing=draw_robustness(frame),
        )
