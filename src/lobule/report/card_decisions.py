"""What the model card says of calibration, threshold, label sets, refusals and colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lobule.report.numbers import decimal_of, headline_protocol, number_of, numbers_in, spelled
from lobule.report.sections.abstention import is_attained, promise_of
from lobule.report.sections.result import beside_colour
from lobule.report.sections.thresholds import is_fitted, threshold_of

if TYPE_CHECKING:
    from lobule.evaluation.predictions import Protocol

__all__ = ["decisions_part"]


def decisions_part(document: Mapping[str, Any]) -> str:
    """Return how this model turns logits into verdicts, as Markdown; nothing where nothing was scored.

    Args:
        document: metrics.json; what it lacks is left out.
    """
    protocol = headline_protocol(document)
    if protocol is None:
        return ""
    lines = [
        *_calibration(document, protocol),
        *_threshold(document),
        *_label_sets(document, protocol),
        *_refusals(document, protocol),
        *_colour(document),
    ]
    return "## Decisions\n\n" + "\n".join(f"- {line}" for line in lines)


def _calibration(document: Mapping[str, Any], protocol: Protocol) -> Iterator[str]:
    if not is_fitted(document):
        yield "Probabilities are the network's own: no temperature was fitted."
        return
    shipped = numbers_in(document, "binary", "temperature")
    values = [f"{decimal_of(shipped.get('image'))} for images", f"{decimal_of(shipped.get('case'))} for cases"]
    of_subtype = numbers_in(document, "subtype", "temperature").get("image")
    values += [f"{decimal_of(of_subtype)} for subtypes"] if of_subtype is not None else []
    yield f"Temperature, fitted on all out-of-fold predictions: {', '.join(values)}."
    after = numbers_in(document, "binary", protocol, "image", "calibration", "after")
    yield (
        f"Calibration per image, cross-fitted: slope {spelled(number_of(after, 'slope'))}, intercept"
        f" {spelled(number_of(after, 'intercept'))}; 1 and 0 are perfect. Calibration error (ECE)"
        f" {number_of(after, 'ece').value_text}."
    )


def _threshold(document: Mapping[str, Any]) -> Iterator[str]:
    of_image, of_case = threshold_of(document), threshold_of(document, "case")
    if of_image is not None:
        rule = str(numbers_in(document, "binary", "threshold").get("rule") or "not stated").rstrip(".")
        yield (
            f"Called malignant from a probability of {decimal_of(of_image)} on (images) or {decimal_of(of_case)} on"
            f" (cases). Rule: {rule}."
        )


def _label_sets(document: Mapping[str, Any], protocol: Protocol) -> Iterator[str]:
    block = numbers_in(document, "binary", protocol, "case", "conformal")
    if not isinstance(block.get("alpha"), int | float):
        return
    coverage = numbers_in(block, "coverage")
    if not is_attained(block):
        yield f"Label sets: none. {promise_of(block)}"
        return
    yield (
        f"Label sets, alpha {block['alpha']:.2g}, calibrated by case: one label is the verdict if the threshold gives"
        f" the same; both, none, or one that contradicts the threshold are `uncertain`. {promise_of(block)}"
    )
    found = [(name, number_of(coverage, name)) for name in ("benign", "malignant")]
    measured = [f"{name} {spelled(number)}, {number.counts_text}" for name, number in found if number.value is not None]
    if measured:
        yield (
            f"Share of cases whose true label was in their set, cross-fitted: {'; '.join(measured)}. This model was"
            " refitted on all cases, so for it these shares are approximate."
        )


def _refusals(document: Mapping[str, Any], protocol: Protocol) -> Iterator[str]:
    rate = number_of(numbers_in(document, "binary", protocol, "refused"), "rate")
    if rate.value is not None:
        yield (
            "Images unlike those it was trained on get the verdict `not assessable` and a reason. Of held-out images of"
            f" the training data, a share of {spelled(rate)} was refused."
        )


def _colour(document: Mapping[str, Any]) -> Iterator[str]:
    versus = beside_colour(document)
    if versus:
        yield f"Beside colour. {versus.lead} {versus.text}"
