"""From the answers for images to the answer for a case: one case is judged by all of its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.predictions import Predictions, sigmoid, softmax
from lobule.taxonomy import LABELS, SUBTYPES, Task

__all__ = ["CaseAnswer", "answer_cases"]

_SMALLEST: Final = 1e-9


@dataclass(frozen=True, eq=False)
class CaseAnswer:
    """What the images of a case say together.

    Attributes:
        case_id: the case.
        n_images: number of its images that were answered.
        prob_malignant: sigmoid of the mean log-odds of the images.
        pred_label: benign or malignant.
        prob_subtype: (8,), softmax of the mean log-probabilities of the images; NaN without a subtype head.
        pred_subtype: the most probable subtype; "" without a subtype head.
    """

    case_id: str
    n_images: int
    prob_malignant: float
    pred_label: str
    prob_subtype: NDArray[np.float64]
    pred_subtype: str


def answer_cases(predictions: Predictions, *, threshold: float = 0.5) -> tuple[CaseAnswer, ...]:
    """Answer for every case, in order of its id; images without a case are left out.

    Evaluation puts cases together by the same rule, so these are the answers that its case-level metrics score.

    Args:
        predictions: of one protocol.
        threshold: lowest P(malignant) that is called malignant.
    """
    case_ids = predictions.frame["case_id"].to_numpy(dtype=object)
    known = (case_ids != "") & ~np.isnan(predictions.probabilities("binary")[:, 0])
    return tuple(
        _answer(predictions, known & (case_ids == case), case, threshold) for case in sorted({*case_ids[known]})
    )


def _answer(predictions: Predictions, mask: NDArray[np.bool_], case_id: str, threshold: float) -> CaseAnswer:
    malignant = _clipped(predictions, "binary", mask)
    probability = float(sigmoid((np.log(malignant) - np.log1p(-malignant)).mean(axis=0))[0])
    subtype = softmax(np.log(_clipped(predictions, "subtype", mask)).mean(axis=0))
    return CaseAnswer(
        case_id=case_id,
        n_images=int(mask.sum()),
        prob_malignant=probability,
        pred_label=LABELS[probability >= threshold],
        prob_subtype=subtype,
        pred_subtype="" if np.isnan(subtype).any() else SUBTYPES[int(subtype.argmax())],
    )


def _clipped(predictions: Predictions, task: Task, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.clip(predictions.probabilities(task)[mask], _SMALLEST, 1 - _SMALLEST)
