"""The numbers that turn logits into decisions: what calibration.json holds, and what every row was decided with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lobule.taxonomy import LABELS

__all__ = ["DEFAULT_RULE", "Decisions", "LabelSets", "Operating", "OperatingPoint", "undecided"]

DEFAULT_RULE = "fixed: malignant if P(malignant) is at least this"

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelSets(_Record):
    """Class-conditional conformal label sets: a label is in the set unless it fits worse than nearly all of its cases.

    Attributes:
        alpha: share of cases of a class whose own label may be missing from the set.
        benign: largest P(malignant) with which `benign` is in the set; None where `alpha` is unattainable.
        malignant: largest P(benign) with which `malignant` is in the set; None where `alpha` is unattainable.
        benign_cases: benign cases that `benign` was calibrated with.
        malignant_cases: malignant cases that `malignant` was calibrated with.
    """

    alpha: float = Field(gt=0, lt=1)
    benign: _Probability | None
    malignant: _Probability | None
    benign_cases: int = Field(ge=0)
    malignant_cases: int = Field(ge=0)

    @property
    def attainable(self) -> bool:
        """Whether there were enough cases of both classes, so that the sets mean something."""
        return self.benign is not None and self.malignant is not None

    @property
    def calibrated(self) -> bool:
        """Whether there was anything to calibrate with."""
        return self.benign_cases + self.malignant_cases > 0

    def of(self, probability: float) -> tuple[str, ...] | None:
        """Return the labels that fit P(malignant), in the order of `LABELS`; None where no guarantee can be given."""
        if self.benign is None or self.malignant is None:
            return None
        fits = (probability <= self.benign, 1 - probability <= self.malignant)
        return tuple(label for label, fit in zip(LABELS, fits, strict=True) if fit)


class OperatingPoint(_Record):
    """How P(malignant) of an image, or of a case, becomes a decision.

    Attributes:
        temperature: what the logit is divided by before the sigmoid.
        threshold: lowest P(malignant), after temperature, that is called malignant.
        label_sets: which labels fit.
    """

    temperature: _Positive
    threshold: float = Field(gt=0, le=1)
    label_sets: LabelSets


class Operating(_Record):
    """Everything that is decided with, for both levels and both tasks.

    Attributes:
        image: for the logit of an image.
        case: for the mean logit of a case's images.
        subtype_temperature: what the eight logits of an image are divided by; 1 without a subtype head.
        rule: how the thresholds were chosen, in words.
        calibrated_on: in words, on what all of it was fitted.
    """

    image: OperatingPoint
    case: OperatingPoint
    subtype_temperature: _Positive = 1.0
    rule: str = DEFAULT_RULE
    calibrated_on: str = ""

    def at(self, level: Literal["image", "case"]) -> OperatingPoint:
        """Return the point of a level."""
        return self.image if level == "image" else self.case


@dataclass(frozen=True, eq=False)
class Decisions:
    """How every row of predictions is decided, by numbers that were not fitted on its own case.

    Attributes:
        pooled: fitted on all out-of-fold rows: what is shipped.
        points: the numbers that rows are judged with.
        point_of: shape (n,), index into `points` of each row.
        is_cross_fitted: whether `points` were fitted at all, each on cases that it does not judge.
    """

    pooled: Operating
    points: tuple[Operating, ...]
    point_of: NDArray[np.int64]
    is_cross_fitted: bool


def undecided(*, threshold: float = 0.5, alpha: float = 0.1) -> Operating:
    """Return the point of a model that nothing was calibrated for: temperature 1, a fixed threshold, no label sets."""
    sets = LabelSets(alpha=alpha, benign=None, malignant=None, benign_cases=0, malignant_cases=0)
    point = OperatingPoint(temperature=1.0, threshold=threshold, label_sets=sets)
    return Operating(image=point, case=point)
