"""Predictions: one row an image and protocol, whoever made them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.errors import DataError
from lobule.evaluation.columns import (
    PREDICTION_COLUMNS,
    logit_columns,
    probability_columns,
    tidy,
    typed,
)
from lobule.evaluation.decision.operating import Operating, undecided
from lobule.evaluation.judged import judged, predicted_subtype, sigmoid, softmax
from lobule.evaluation.parquet import SUFFIX, parquet_of, read_parquet
from lobule.evaluation.spreadsheet import read_spreadsheet, require_scorable
from lobule.provenance import write_atomically
from lobule.taxonomy import LABELS, TASKS, Task

__all__ = [
    "PREDICTION_COLUMNS",
    "Predictions",
    "Protocol",
    "assemble_predictions",
    "sigmoid",
    "softmax",
]

Protocol = Literal["holdout", "folds", "predict"]
_MANIFEST_COLUMNS: Final = PREDICTION_COLUMNS[:8]
_SMALLEST_ODDS: Final = 1e-9
_ROUNDING: Final = 1e-6
_ROWS_AT_ONCE: Final = 65_536


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for images, with what is known of each image.

    Attributes:
        frame: exactly `PREDICTION_COLUMNS`, a row for every image and protocol; numbers carry nine
            significant digits, so that a file gives back the same numbers.

    Raises:
        DataError: a column is missing, or a cell holds what its column does not allow.
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", tidy(self.frame))

    @classmethod
    def of_columns(cls, columns: Mapping[str, Sequence[Any]]) -> Predictions:
        """Return predictions of columns that are made by Lobule itself, which are not checked again.

        Args:
            columns: by every name of `PREDICTION_COLUMNS`; None or NaN where a number is unknown.
        """
        made = object.__new__(cls)
        object.__setattr__(made, "frame", typed(columns))
        return made

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def place_by_name(self) -> NDArray[np.intp]:
        """The place of each row, shape (n,), among all rows sorted by image id; those of one id in their order."""
        order = self.frame["image_id"].array.argsort(kind="stable")
        place = np.empty(len(order), dtype=np.intp)
        place[order] = np.arange(len(order))
        return place

    def logits(self, task: Task) -> NDArray[np.float64]:
        """Return a task's logits, before temperature, shape (n, 1) or (n, 8); NaN where there are none."""
        return self.frame[list(logit_columns(task))].to_numpy(dtype=np.float64)

    def probabilities(self, task: Task) -> NDArray[np.float64]:
        """Return P(malignant), shape (n, 1), or P(subtype), shape (n, 8); NaN where there are none."""
        return self.frame[list(probability_columns(task))].to_numpy(dtype=np.float64)

    def select(self, protocol: Protocol) -> Predictions:
        """Return the rows of one protocol; there may be none."""
        return Predictions(self.frame[self.frame["protocol"] == protocol].reset_index(drop=True))

    @classmethod
    def join(cls, parts: Sequence[Predictions]) -> Predictions:
        """Return the rows of all parts, in order, e.g. those of the holdout and of the folds.

        Raises:
            DataError: there is no part, or an image stands twice in a protocol.
        """
        if not parts:
            raise DataError("parts: at least one Predictions is needed, received none")
        return cls(pd.concat([part.frame for part in parts], ignore_index=True))

    def write(self, path: Path) -> None:
        """Write predictions.csv, nine significant digits, or by its extension a .parquet, atomically.

        Raises:
            MissingExtraError: Parquet needs pyarrow.
        """
        if path.suffix == SUFFIX:
            write_atomically(path, parquet_of(self.frame))
            return
        write_atomically(path, self._csv())

    def _csv(self) -> Iterator[bytes]:
        for start in range(0, max(len(self), 1), _ROWS_AT_ONCE):
            rows = self.frame.iloc[start : start + _ROWS_AT_ONCE]
            yield rows.to_csv(index=False, header=not start, float_format="%.9g", lineterminator="\n").encode()

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read predictions.csv, or any CSV (or .parquet) that has enough columns to be scored.

        Needed are `image_id`, `case_id`, `label`, and one of `prob_malignant` and `logit_malignant`; how they may be
        written stands at `read_spreadsheet`. Other columns of `PREDICTION_COLUMNS` are filled: a probability from its
        logit and the reverse, a predicted class at probability 0.5 or by the largest, `protocol` with `predict`; the
        rest stays empty. Other columns are ignored.

        Raises:
            DataError: the file cannot be read, lacks a column, or a cell holds what its column does not allow.
        """
        if path.suffix == SUFFIX:
            frame = read_parquet(path)
            require_scorable(frame, path)
        else:
            frame = read_spreadsheet(path)
        return cls(_fill(frame))


def assemble_predictions(
    manifest_frame: pd.DataFrame,
    *,
    protocol: Protocol,
    fold: NDArray[np.int64],
    logits_binary: NDArray[np.floating],
    logits_subtype: NDArray[np.floating] | None,
    operating: Operating | None = None,
    novelty: NDArray[np.floating] | None = None,
    refusals: Sequence[str] | None = None,
    model_id: str = "",
) -> Predictions:
    """Put a model's logits beside what the manifest knows of the images, and judge them.

    Args:
        manifest_frame: n rows with at least `image_id, path, pixel_sha256, case_id, patient_id, magnification, label,
            subtype`; labels and subtypes may be empty.
        protocol: how the predictions were made.
        fold: shape (n,), the fold that held each image out; negative where there is none.
        logits_binary: shape (n,) or (n, 1), before temperature; NaN where there is no prediction.
        logits_subtype: shape (n, 8), before temperature, or None without a subtype head.
        operating: temperatures, threshold and label sets; None: temperature 1, threshold 0.5, no label sets.
        novelty: shape (n,), how unlike the training images each is; above 1 is refused.
        refusals: n reasons why an image cannot be assessed, "" where it can.
        model_id: names the model that made the predictions.

    Returns:
        The predictions, in the order of the rows.

    Raises:
        DataError: a column is missing or lengths differ.
    """
    if missing := [name for name in _MANIFEST_COLUMNS if name not in manifest_frame.columns]:
        raise DataError(f"manifest_frame: missing columns {', '.join(missing)}; needed: {', '.join(_MANIFEST_COLUMNS)}")
    n = len(manifest_frame)
    frame = manifest_frame[list(_MANIFEST_COLUMNS)].reset_index(drop=True)
    frame = frame.assign(protocol=protocol, fold=_folds(fold, n), model_id=model_id)
    if len(logits_binary) != n:
        shape = np.shape(logits_binary)
        raise DataError(
            f"logits_binary: shape {(n, 1)} is needed, one row for each of the manifest's; received {shape}"
        )
    said = judged(logits_binary, logits_subtype, operating=operating or undecided(), novelty=novelty, refusals=refusals)
    return Predictions(frame.assign(**said))


def _folds(fold: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    if np.shape(fold) != (n,):
        raise DataError(f"fold: one number a row is needed, shape ({n},); received shape {np.shape(fold)}")
    return np.where(np.asarray(fold) < 0, np.nan, fold).astype(np.float64)


def _fill(frame: pd.DataFrame) -> pd.DataFrame:
    """Fill the columns that a CSV made elsewhere may lack."""
    given = frame.copy()
    if "protocol" not in given:
        given["protocol"] = "predict"
    known = set(given.columns)
    checked = Predictions(given.reindex(columns=list(PREDICTION_COLUMNS), fill_value=""))
    filled = checked.frame.copy()
    for task in TASKS:
        _fill_task(filled, checked, task)
    _check_order(filled)
    return _complete(filled, keep=known)


def _check_order(frame: pd.DataFrame) -> None:
    """Refuse given logits that rank images otherwise than the given probabilities do."""
    given = frame[(frame["protocol"] == "predict") & frame["prob_malignant"].notna()]
    ordered = given.sort_values(["logit_malignant", "prob_malignant"], kind="stable")
    falling = np.flatnonzero(np.diff(ordered["prob_malignant"].to_numpy(dtype=np.float64)) < -_ROUNDING)
    if len(falling):
        one, other = ordered["image_id"].iloc[[falling[0], falling[0] + 1]]
        raise DataError(
            f"predictions: logit_malignant and prob_malignant contradict each other: {one!r} has a lower logit and a "
            f"higher probability than {other!r}; leave out the column that is wrong"
        )


def _fill_task(frame: pd.DataFrame, checked: Predictions, task: Task) -> None:
    logits, probabilities = checked.logits(task), checked.probabilities(task)
    activation = sigmoid if task == "binary" else softmax
    clipped = np.clip(probabilities, _SMALLEST_ODDS, 1 - _SMALLEST_ODDS)
    inverse = np.log(clipped) - (np.log1p(-clipped) if task == "binary" else 0.0)
    frame[list(probability_columns(task))] = np.where(np.isnan(probabilities), activation(logits), probabilities)
    frame[list(logit_columns(task))] = np.where(np.isnan(logits), inverse, logits)


def _complete(frame: pd.DataFrame, *, keep: set[str]) -> pd.DataFrame:
    """Return all columns: the predicted classes and the verdict where they are not kept, the rest empty."""
    complete = frame.reindex(columns=list(PREDICTION_COLUMNS))
    if "pred_label" not in keep:
        complete["pred_label"] = _predicted_label(complete)
    if "pred_subtype" not in keep:
        complete["pred_subtype"] = predicted_subtype(
            complete[list(logit_columns("subtype"))].to_numpy(dtype=np.float64)
        )
    if "verdict" not in keep:
        complete["verdict"] = complete["pred_label"]
    return complete


def _predicted_label(frame: pd.DataFrame) -> NDArray[np.object_]:
    probability = frame["prob_malignant"].to_numpy(dtype=np.float64)
    names = np.array(LABELS, dtype=object)[(probability >= 0.5).astype(np.int64)]
    return np.where(np.isnan(probability), "", names)
