"""What logits say of images, as plain columns: needs numpy alone, so that one image is answered without pandas."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule.errors import DataError
from lobule.evaluation.columns import PREDICTION_COLUMNS, logit_columns, probability_columns, round_digits
from lobule.evaluation.decision.operating import Operating
from lobule.evaluation.decision.verdicts import Verdict, verdicts_of
from lobule.taxonomy import SUBTYPES, Task

__all__ = ["as_csv", "judged", "predicted_subtype", "sigmoid", "softmax"]

_FEW: Final = 64
"""So many numbers take less time than importing SciPy; it and the C library give the same bits, which a test holds."""

_SMALLEST_LOGIT: Final = -math.log(sys.float_info.max)
"""Below it, exp(-logit) is more than a number can be."""


def judged(
    logits_binary: NDArray[np.floating],
    logits_subtype: NDArray[np.floating] | None,
    *,
    operating: Operating,
    novelty: NDArray[np.floating] | None = None,
    refusals: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the columns of predictions.csv that follow from the logits of n images, each (n,).

    Args:
        logits_binary: (n,) or (n, 1), before temperature; NaN where there is no prediction.
        logits_subtype: (n, 8), before temperature, or None without a subtype head.
        operating: temperatures, threshold and label sets.
        novelty: (n,), how unlike the training images each is; above 1 is refused.
        refusals: n reasons why an image cannot be assessed, "" where it can.

    Raises:
        DataError: lengths differ.
    """
    n, point = len(logits_binary), operating.image
    if refusals is not None and len(refusals) != n:
        raise DataError(f"refusals: one reason a row ({n}) is needed; received {len(refusals)}")
    binary = round_digits(_shaped(logits_binary, (n, 1), "logits_binary"))
    probability = round_digits(sigmoid(binary / point.temperature))
    subtype = np.full((n, len(SUBTYPES)), np.nan)
    if logits_subtype is not None:
        subtype = round_digits(_shaped(logits_subtype, (n, len(SUBTYPES)), "logits_subtype"))
    shares = round_digits(softmax(subtype / operating.subtype_temperature))
    said = verdicts_of(probability[:, 0], [point], refusals or [""] * n)
    tables: tuple[tuple[Task, NDArray[np.float64], NDArray[np.float64]], ...] = (
        ("binary", binary, probability),
        ("subtype", subtype, shares),
    )
    columns: dict[str, Any] = {}
    for task, logits, probabilities in tables:
        columns |= dict(zip(logit_columns(task), logits.T, strict=True))
        columns |= dict(zip(probability_columns(task), probabilities.T, strict=True))
    columns |= dict(zip(Verdict._fields, said.T, strict=True))
    columns["pred_subtype"] = predicted_subtype(subtype)
    columns["novelty"] = np.full(n, np.nan) if novelty is None else _shaped(novelty, (n, 1), "novelty")[:, 0]
    return columns


def predicted_subtype(logits: NDArray[np.float64]) -> NDArray[np.object_]:
    """Return the subtype with the largest logit of each row (n, 8), "" where there are none."""
    known = np.asarray(~np.isnan(logits).any(axis=1))
    largest = np.where(known[:, None], logits, 0.0).argmax(axis=1)
    names = np.array(SUBTYPES, dtype=object)[largest]
    return np.where(known, names, "")


def as_csv(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return predictions.csv of columns that hold what each allows: nine significant digits, nothing where unknown.

    The bytes are those of `Predictions.write`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PREDICTION_COLUMNS)
    writer.writerows(zip(*(map(_cell, columns[name]) for name in PREDICTION_COLUMNS), strict=True))
    return text.getvalue()


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-logit)), without overflow, same shape, between 0 and 1."""
    values = np.asarray(logits, dtype=np.float64)
    if values.size <= _FEW:
        return np.array([_sigmoid(value) for value in values.ravel().tolist()], np.float64).reshape(values.shape)
    from scipy.special import expit

    return np.asarray(expit(values), dtype=np.float64)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return exp(logit) over its sum along the last axis, without overflow, same shape; NaN rows stay NaN."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float64)


def _sigmoid(logit: float) -> float:
    return 0.0 if logit < _SMALLEST_LOGIT else 1.0 / (1.0 + math.exp(-logit))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return "" if value is None else str(value)


def _shaped(values: NDArray[np.floating], shape: tuple[int, int], name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape == shape[:1] and shape[1] == 1:
        array = array[:, None]
    if array.shape != shape:
        raise DataError(f"{name}: shape {shape} is needed, one row for each of the manifest's; received {array.shape}")
    return array
