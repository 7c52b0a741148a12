"""The one place where a probability becomes what is said: label, label set, verdict and the reason for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.decision.operating import OperatingPoint
from lobule.taxonomy import LABELS

__all__ = ["NO_GUARANTEE", "Verdict", "verdict_of", "verdicts_of"]

NO_GUARANTEE: Final = "no label-set guarantee: too few cases"
_NONE_FITS: Final = "uncertain: neither label fits"
_BOTH_FIT: Final = "uncertain: both labels fit"
_CONTRADICTED: Final = "uncertain: only one label fits, and the threshold gives the other"


class Verdict(NamedTuple):
    """What is said of an image or of a case.

    Attributes:
        pred_label: by the threshold alone.
        label_set: labels that fit, joined by "|"; empty where none fits or no guarantee can be given.
        verdict: `benign`, `malignant`, `uncertain` or `not assessable`.
        reason: why the verdict is not simply the label; else empty.
    """

    pred_label: str
    label_set: str
    verdict: str
    reason: str


def verdict_of(probability: float, point: OperatingPoint, *, refusal: str = "") -> Verdict:
    """Judge a probability.

    A refused image is `not assessable`. Otherwise one fitting label is the verdict if the threshold says the same;
    none, two, or one that the threshold contradicts make it `uncertain`. Where label sets are unattainable, or nothing
    was calibrated, the threshold decides.

    Args:
        probability: P(malignant), after temperature, 0 to 1.
        point: temperature, threshold and label sets of the level.
        refusal: why the image cannot be assessed; empty if it can.
    """
    label = LABELS[int(probability >= point.threshold)]
    fitting = point.label_sets.of(probability)
    shown = "|".join(fitting or ())
    if refusal:
        return Verdict(label, shown, "not assessable", refusal)
    if fitting is None:
        return Verdict(label, "", label, NO_GUARANTEE if point.label_sets.calibrated else "")
    if fitting == (label,):
        return Verdict(label, shown, label, "")
    return Verdict(label, shown, "uncertain", (_NONE_FITS, _CONTRADICTED, _BOTH_FIT)[len(fitting)])


def verdicts_of(
    probability: NDArray[np.float64], points: Sequence[OperatingPoint], refusals: Sequence[str]
) -> NDArray[np.object_]:
    """Return the fields of `Verdict` as columns, shape (n, 4); all empty where there is no probability.

    Args:
        probability: shape (n,), P(malignant) after temperature, or NaN.
        points: n points, or one for all rows.
        refusals: n reasons why an image cannot be assessed; "" where it can.
    """
    n, fields = len(probability), len(Verdict._fields)
    each = points if len(points) == n else [points[0]] * n
    said = (
        ("", "", "", "") if np.isnan(value) else verdict_of(value, point, refusal=refusal)
        for value, point, refusal in zip(probability.tolist(), each, refusals, strict=True)
    )
    # Of a million images, a tuple each would take a hundred megabytes.
    cells = np.fromiter((field for verdict in said for field in verdict), dtype=object, count=n * fields)
    return cells.reshape(n, fields)
