"""From the answers of the model to what is said of files and cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lobule.evaluation.predictions import Predictions
from lobule.inference.aggregate import CaseAnswer, answer_cases
from lobule.inference.answers import Answer, Named, predictions_of
from lobule.server.messages import Answered, CaseMessage, Failed, Reason
from lobule.taxonomy import SUBTYPES

if TYPE_CHECKING:
    from lobule.model.bundle_record import BundleRecord

__all__ = ["Judged", "case_message", "items_of"]

_CASE: Final = "case"
"""What a case is called inside; its real name goes through unread."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A file and what became of it.

    Attributes:
        name: of the file, for display.
        outcome: the answer, or why there is none.
        size: width and height in pixels; (0, 0) where there is no answer.
    """

    name: str
    outcome: Answer | Reason
    size: tuple[int, int] = (0, 0)


def items_of(judged: Sequence[Judged], *, record: BundleRecord) -> tuple[list[Answered | Failed], Predictions]:
    """Return an item for every file in order, and the predictions of those that were answered.

    Args:
        judged: files.
        record: of the model.
    """
    answered = [(place, each.outcome) for place, each in enumerate(judged) if isinstance(each.outcome, Answer)]
    named = [Named(f"{place:06d}") for place, _ in answered]
    predictions = predictions_of(named, [answer for _, answer in answered], record=record)
    rows = iter(predictions.frame.to_dict("records"))
    items: list[Answered | Failed] = []
    for place, each in enumerate(judged):
        if isinstance(each.outcome, Reason):
            items.append(Failed(index=place, name=each.name, error=each.outcome))
        else:
            items.append(_answered(place, each, {str(key): value for key, value in next(rows).items()}))
    return items, predictions


def case_message(case_id: str, predictions: Predictions, *, record: BundleRecord) -> CaseMessage:
    """Return the answer for a case by all of its images.

    Args:
        case_id: as the client calls it.
        predictions: of its images, at least one.
        record: of the model.
    """
    of_case = Predictions(predictions.frame.assign(case_id=_CASE))
    (answer,) = answer_cases(of_case, operating=record.operating)
    return CaseMessage(
        case_id=case_id,
        n_images=answer.n_images,
        n_refused=answer.n_refused,
        prob_malignant=_number(answer.prob_malignant),
        label=answer.pred_label or None,
        label_set=_labels(answer.label_set),
        verdict=answer.verdict,
        reason=answer.reason,
        prob_subtype=_by_subtype(answer),
        subtype=answer.pred_subtype or None,
    )


def _answered(place: int, judged: Judged, row: Mapping[str, Any]) -> Answered:
    probabilities = {name: float(row[f"prob_{name}"]) for name in SUBTYPES}
    return Answered(
        index=place,
        name=judged.name,
        image_sha256=row["pixel_sha256"],
        width=judged.size[0],
        height=judged.size[1],
        verdict=row["verdict"],
        reason=row["reason"],
        prob_malignant=row["prob_malignant"],
        logit_malignant=row["logit_malignant"],
        label=row["pred_label"],
        label_set=_labels(row["label_set"]),
        subtype=row["pred_subtype"] or None,
        prob_subtype=None if any(map(math.isnan, probabilities.values())) else probabilities,
        novelty=_number(row["novelty"]),
    )


def _by_subtype(answer: CaseAnswer) -> dict[str, float] | None:
    if not answer.pred_subtype:
        return None
    return dict(zip(SUBTYPES, answer.prob_subtype.tolist(), strict=True))


def _labels(joined: str) -> list[str]:
    return joined.split("|") if joined else []


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
