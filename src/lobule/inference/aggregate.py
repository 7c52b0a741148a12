"""From the answers for images to the answer for a case: it is judged by all of its images that can be assessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lobule.evaluation.decision.operating import Operating, undecided
from lobule.evaluation.decision.verdicts import Verdict, verdict_of
from lobule.evaluation.predictions import Predictions, sigmoid, softmax
from lobule.taxonomy import SUBTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CaseAnswer", "answer_cases"]


@dataclass(frozen=True, eq=False)
class CaseAnswer:
    """What the images of a case say together.

    Attributes:
        case_id: the case.
        n_images: number of its images that were answered.
        n_refused: of these, how many were not assessable and do not count.
        prob_malignant: sigmoid of the mean logit of the images over the temperature of cases; NaN where all were
            refused.
        pred_label: benign or malignant, by the threshold of cases; "" where all were refused.
        label_set: labels that fit, joined by "|".
        verdict: benign, malignant, uncertain or not assessable.
        reason: why the verdict is not simply the label; else "".
        prob_subtype: (8,), softmax of the mean logits of the images over the temperature of subtypes; NaN without a
            subtype head.
        pred_subtype: the most probable subtype; "" without a subtype head.
    """

    case_id: str
    n_images: int
    n_refused: int
    prob_malignant: float
    pred_label: str
    label_set: str
    verdict: str
    reason: str
    prob_subtype: NDArray[np.float64]
    pred_subtype: str


def answer_cases(predictions: Predictions, *, operating: Operating | None = None) -> tuple[CaseAnswer, ...]:
    """Answer for every case, in order of its id; images without a case are left out.

    Evaluation puts cases together by the same rule, the mean log-odds, but counts refused images too, so that a
    model cannot look better by refusing.

    Args:
        predictions: of one protocol.
        operating: of the model, as its bundle records it; None: temperature 1, threshold 0.5, no label sets.
    """
    case_ids = predictions.frame["case_id"].to_numpy(dtype=object)
    known = (case_ids != "") & ~np.isnan(predictions.logits("binary")[:, 0])
    point = operating or undecided()
    return tuple(_answer(predictions, known & (case_ids == case), case, point) for case in sorted({*case_ids[known]}))


def _answer(predictions: Predictions, mask: NDArray[np.bool_], case_id: str, operating: Operating) -> CaseAnswer:
    refused = mask & (predictions.frame["verdict"] == "not assessable").to_numpy(dtype=bool)
    counted = mask & ~refused
    n_images, n_refused = int(mask.sum()), int(refused.sum())
    probability, said = float("nan"), Verdict("", "", "not assessable", f"all {n_images} images are not assessable")
    subtype = np.full(len(SUBTYPES), np.nan)
    if counted.any():
        probability = float(sigmoid(predictions.logits("binary")[counted].mean(axis=0) / operating.case.temperature)[0])
        said = verdict_of(probability, operating.case)
        subtype = softmax(predictions.logits("subtype")[counted].mean(axis=0) / operating.subtype_temperature)
    named = "" if np.isnan(subtype).any() else SUBTYPES[int(subtype.argmax())]
    return CaseAnswer(case_id, n_images, n_refused, probability, *said, prob_subtype=subtype, pred_subtype=named)
