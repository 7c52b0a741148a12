"""What a model says of an image, and the rows of predictions.csv that say so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lobule.data.layouts import describe_path
from lobule.evaluation.columns import PREDICTION_COLUMNS
from lobule.evaluation.judged import as_csv, judged
from lobule.provenance import write_atomically
from lobule.taxonomy import SUBTYPES, Task

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.evaluation.predictions import Predictions
    from lobule.model.bundle_record import BundleRecord

__all__ = ["Answer", "Named", "predictions_of", "write_predictions"]


_KNOWN: Final = PREDICTION_COLUMNS[:8]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says of one image.

    Attributes:
        pixel_sha256: digest of its decoded pixels.
        logits: by task, (1,) or (8,), before temperature, averaged over the views.
        novelty: how unlike the training images it is, refused above 1; NaN where the model cannot tell.
        refusal: why it cannot be assessed, in words; "" where it can.
    """

    pixel_sha256: str
    logits: Mapping[Task, NDArray[np.float64]]
    novelty: float = math.nan
    refusal: str = ""


@dataclass(frozen=True)
class Named:
    """An image as the caller knows it: a unique id, and a path ("" for pixels in memory)."""

    image_id: str
    path: str = ""


def predictions_of(named: Sequence[Named], answers: Sequence[Answer], *, record: BundleRecord) -> Predictions:
    """Put answers into rows; label, subtype, case and magnification are filled where the file name tells them.

    Args:
        named: n images, each id once.
        answers: of each.
        record: of the model that gave them.
    """
    from lobule.evaluation.predictions import Predictions

    return Predictions.of_columns(_columns(named, answers, record))


def write_predictions(path: Path, named: Sequence[Named], answers: Sequence[Answer], *, record: BundleRecord) -> None:
    """Write predictions.csv (or .parquet), atomically, as `predictions_of(...).write(path)` would.

    A CSV is written without importing pandas.

    Args:
        path: the file.
        named: n images, each id once.
        answers: of each.
        record: of the model that gave them.
    """
    if path.suffix == ".parquet":
        predictions_of(named, answers, record=record).write(path)
        return
    write_atomically(path, as_csv(_columns(named, answers, record)))


def _columns(named: Sequence[Named], answers: Sequence[Answer], record: BundleRecord) -> dict[str, Any]:
    n = len(named)
    rows = [_described(image, answer) for image, answer in zip(named, answers, strict=True)]
    columns: dict[str, Any] = {name: [row[place] for row in rows] for place, name in enumerate(_KNOWN)}
    columns |= {"protocol": ["predict"] * n, "fold": [None] * n, "model_id": [record.model_id] * n}
    subtype = _stacked(answers, "subtype", len(SUBTYPES)) if "subtype" in record.tasks else None
    said = judged(
        _stacked(answers, "binary", 1),
        subtype,
        operating=record.operating,
        novelty=np.array([answer.novelty for answer in answers], dtype=np.float64),
        refusals=[answer.refusal for answer in answers],
    )
    return columns | said


def _described(image: Named, answer: Answer) -> tuple[object, ...]:
    known = describe_path(image.path, classes=None) if image.path else None
    told = (known.case_id, known.patient_id, known.magnification, known.label, known.subtype) if known else ()
    return (image.image_id, image.path, answer.pixel_sha256, *(told or ("", "", None, "", "")))


def _stacked(answers: Sequence[Answer], task: Task, size: int) -> NDArray[np.float64]:
    return np.array([answer.logits[task] for answer in answers], dtype=np.float64).reshape(len(answers), size)
