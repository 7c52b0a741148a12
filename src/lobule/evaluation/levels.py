"""What is scored: images, or cases put together from their images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.errors import DataError
from lobule.evaluation.decision.operating import Decisions, LabelSets, Operating, undecided
from lobule.evaluation.predictions import Predictions, Protocol, sigmoid
from lobule.taxonomy import SUBTYPES, Task, classes_of

__all__ = ["LEVELS", "Images", "Level", "Units", "images_of", "rows_of", "units_of"]

Level = Literal["image", "case"]
LEVELS: Final[tuple[Level, ...]] = ("image", "case")

_SMALLEST_ODDS: Final = 1e-9
_TRUTH: Final[dict[Task, str]] = {"binary": "label", "subtype": "subtype"}


@dataclass(frozen=True, eq=False)
class Images:
    """The images of one protocol that have both a truth and a prediction for a task, sorted by image id.

    Attributes:
        task: what is predicted.
        case: shape (n,), number of the image's case, from 0 without gaps, in the order of first appearance.
        patient: shape (n,), number of the image's patient, -1 where unknown.
        magnification: shape (n,), e.g. "40", or "unknown".
        subtype: shape (n,), index into `SUBTYPES`, -1 where unknown.
        true: shape (n,), index into the task's classes.
        logits: shape (n, 1) or (n, 8), before temperature; they rank.
        uncalibrated: shape (n, 1) or (n, 8), what temperature divides: the logits, or, of predictions as they are given
            (protocol `predict`), the log-odds (log-probabilities) of the given probabilities.
        point: shape (n,), index into `points`.
        points: what images and cases are decided with.
    """

    task: Task
    case: NDArray[np.int64]
    patient: NDArray[np.int64]
    magnification: NDArray[np.object_]
    subtype: NDArray[np.int64]
    true: NDArray[np.int64]
    logits: NDArray[np.float64]
    uncalibrated: NDArray[np.float64]
    point: NDArray[np.int64]
    points: tuple[Operating, ...]

    def __len__(self) -> int:
        return len(self.case)

    def where(self, mask: NDArray[np.bool_]) -> Images:
        """Return the images that a mask of shape (n,) picks."""
        logits = self.logits[mask]
        return replace(
            self,
            case=_renumbered(self.case[mask]),
            patient=self.patient[mask],
            magnification=self.magnification[mask],
            subtype=self.subtype[mask],
            true=self.true[mask],
            logits=logits,
            uncalibrated=logits if self.uncalibrated is self.logits else self.uncalibrated[mask],
            point=self.point[mask],
        )

    def decided_by(self, decisions: Decisions, rows: NDArray[np.intp]) -> Images:
        """Return the same images, decided by the points of their rows in the predictions, shape (n,)."""
        return replace(self, point=decisions.point_of[rows], points=decisions.points)


@dataclass(frozen=True, eq=False)
class Units:
    """Images or cases, ready to be counted.

    Attributes:
        task: what is predicted.
        level: whether a unit is an image or a case.
        case: shape (n,), number of the unit's case, from 0 without gaps.
        true: shape (n,), index into the task's classes.
        predicted: shape (n,), index into the task's classes.
        score: shape (n,), logit of `malignant` that ranks the units; zeros for subtypes.
        probability: shape (n,), P(malignant) after temperature; zeros for subtypes.
        threshold: shape (n,), lowest P(malignant) that was called malignant.
        uncalibrated: shape (n, 1) or (n, 8), what temperature divides.
        temperature: shape (n,), what `uncalibrated` is divided by.
        fits: shape (n, 2), whether `benign` and `malignant` are in the label set; NaN where no set can be given.
        share: shape (n,), one over the number of the patient's images, 0 where the patient is unknown and for cases.
        images: shape (n,), number of images in the unit.
    """

    task: Task
    level: Level
    case: NDArray[np.int64]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    score: NDArray[np.float64]
    probability: NDArray[np.float64]
    threshold: NDArray[np.float64]
    uncalibrated: NDArray[np.float64]
    temperature: NDArray[np.float64]
    fits: NDArray[np.float64]
    share: NDArray[np.float64]
    images: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.case)

    @property
    def malignant(self) -> NDArray[np.bool_]:
        """Whether each unit is malignant, shape (n,)."""
        return self.true >= len(classes_of(self.task)) // 2

    def confusion(self) -> NDArray[np.int64]:
        """Count units, shape (classes, classes): rows are the true classes, columns the predicted ones."""
        classes = len(classes_of(self.task))
        cells = np.bincount(self.true * classes + self.predicted, minlength=classes**2)
        return cells.reshape(classes, classes).astype(np.int64)

    def n_images(self, mask: NDArray[np.bool_]) -> int:
        """Return the number of images in the units that a mask picks."""
        return int(self.images[mask].sum())

    def n_cases(self, mask: NDArray[np.bool_]) -> int:
        """Return the number of cases of the units that a mask picks."""
        return int(np.count_nonzero(np.bincount(self.case[mask])))


def rows_of(predictions: Predictions, task: Task, protocol: Protocol) -> NDArray[np.intp]:
    """Return the rows of a protocol that have both a truth and a prediction for a task, sorted by image id."""
    frame = predictions.frame
    known = ((frame["protocol"] == protocol) & (frame[_TRUTH[task]] != "")).to_numpy(dtype=bool)
    if not known.any():
        return np.empty(0, dtype=np.intp)
    missing = np.isnan(predictions.logits(task)).any(axis=1) | np.isnan(predictions.probabilities(task)).any(axis=1)
    rows = np.flatnonzero(known & ~missing)
    return rows[np.argsort(predictions.place_by_name[rows], kind="stable")]


def images_of(
    predictions: Predictions, task: Task, protocol: Protocol, *, decisions: Decisions | None = None
) -> Images:
    """Return the images of a protocol that can be scored for a task.

    They are sorted by image id and cases are numbered in that order, so that neither the order of the rows nor the
    names of the cases change a result.

    Args:
        predictions: any protocols.
        task: what is scored.
        protocol: which rows.
        decisions: of the same predictions; None: temperature 1 and threshold 0.5.

    Raises:
        DataError: an image that can be scored has no case.
    """
    rows = rows_of(predictions, task, protocol)
    frame = predictions.frame
    _check_cases(frame, rows)
    as_given, logits = protocol == "predict", predictions.logits(task)[rows]
    images = Images(
        task=task,
        case=_numbered(frame["case_id"].iloc[rows]),
        patient=_numbered(frame["patient_id"].iloc[rows]),
        magnification=_magnifications(frame["magnification"].iloc[rows]),
        subtype=_indices(frame["subtype"].iloc[rows], SUBTYPES),
        true=_indices(frame[_TRUTH[task]].iloc[rows], classes_of(task)),
        logits=logits,
        uncalibrated=_log_odds(predictions, task, rows) if as_given else logits,
        point=np.zeros(len(rows), np.int64),
        points=(undecided(),),
    )
    return images.decided_by(decisions, rows) if decisions else images


def units_of(images: Images, level: Level) -> Units:
    """Return the units of a level.

    A case of the binary task is all images with the same case and label: its score is the mean logit, its probability
    the sigmoid of the mean of what temperature divides, after the temperature of cases. A case of the subtype task is
    all images with the same case and subtype: its class has the largest mean logit.

    Args:
        images: the images.
        level: "image" or "case".
    """
    if level == "image":
        per_patient = np.bincount(images.patient[images.patient >= 0], minlength=1)
        share = np.where(images.patient >= 0, 1.0 / np.maximum(per_patient, 1)[images.patient], 0.0)
        return _decided(images, "image", share=share, images_in=np.ones(len(images), np.int64))
    grouped, count = _by_case(images)
    return _decided(grouped, "case", share=np.zeros(len(grouped)), images_in=count)


def _by_case(images: Images) -> tuple[Images, NDArray[np.int64]]:
    """Return one row for each case and class, with mean logits, and how many images each stands for."""
    classes = len(classes_of(images.task))
    keys, first, unit = np.unique(images.case * classes + images.true, return_index=True, return_inverse=True)
    count = np.bincount(unit, minlength=len(keys))
    grouped = replace(
        images,
        case=keys // classes,
        patient=np.full(len(keys), -1, np.int64),
        magnification=images.magnification[first],
        subtype=images.subtype[first],
        true=keys % classes,
        logits=_means(unit, images.logits, count),
        uncalibrated=_means(unit, images.uncalibrated, count),
        point=images.point[first],
    )
    return grouped, count


def _decided(images: Images, level: Level, *, share: NDArray[np.float64], images_in: NDArray[np.int64]) -> Units:
    binary = images.task == "binary"
    points = [operating.at(level) for operating in images.points]
    temperatures = [point.temperature for point in points] if binary else [p.subtype_temperature for p in images.points]
    temperature = np.array(temperatures)[images.point]
    probability = sigmoid(images.uncalibrated[:, 0] / temperature) if binary else np.zeros(len(images))
    threshold = np.array([point.threshold for point in points])[images.point]
    predicted = probability >= threshold if binary else images.logits.argmax(axis=1)
    return Units(
        task=images.task,
        level=level,
        case=images.case,
        true=images.true,
        predicted=np.asarray(predicted, dtype=np.int64),
        score=images.logits[:, 0] if binary else np.zeros(len(images)),
        probability=probability,
        threshold=threshold,
        uncalibrated=images.uncalibrated,
        temperature=temperature,
        fits=_fits(probability, np.array([_limits(point.label_sets) for point in points])[images.point]),
        share=share,
        images=images_in,
    )


def _limits(sets: LabelSets) -> tuple[float, float]:
    if sets.benign is None or sets.malignant is None:
        return np.nan, np.nan
    return sets.benign, sets.malignant


def _fits(probability: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    fits = np.stack([probability, 1 - probability], axis=1) <= limits
    return np.where(np.isnan(limits), np.nan, fits)


def _log_odds(predictions: Predictions, task: Task, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    probability = np.clip(predictions.probabilities(task)[rows], _SMALLEST_ODDS, 1 - _SMALLEST_ODDS)
    return np.asarray(np.log(probability) - (np.log1p(-probability) if task == "binary" else 0.0))


def _means(group: NDArray[np.intp], values: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the means of the columns of values, shape (n, k), over groups."""
    sums = [np.bincount(group, weights=column, minlength=len(count)) for column in values.T]
    return np.asarray(np.stack(sums, axis=1) / count[:, None], dtype=np.float64)


def _renumbered(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers in the order of first appearance, so that a part is numbered as if it were the whole."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)


def _numbered(names: pd.Series[Any]) -> NDArray[np.int64]:
    """Return numbers in the order of first appearance, -1 for the empty name."""
    return pd.factorize(names.where(names != ""))[0].astype(np.int64)


def _indices(names: pd.Series[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the index of each name among the classes, -1 for the empty one."""
    return np.asarray(pd.Index(classes).get_indexer(pd.Index(names)), dtype=np.int64)


def _check_cases(frame: pd.DataFrame, rows: NDArray[np.intp]) -> None:
    without = rows[(frame["case_id"].iloc[rows] == "").to_numpy(dtype=bool)]
    if len(without):
        missing = frame["image_id"].iloc[without].tolist()
        raise DataError(
            f"predictions: column case_id is empty for {len(missing)} labelled images, e.g. {missing[0]!r}; "
            "scoring needs the case of every image: fill the column (with image_id if every image is a case of its own)"
        )


def _magnifications(cells: pd.Series[Any]) -> NDArray[np.object_]:
    codes, kinds = pd.factorize(cells)
    return np.array([*(str(kind) for kind in kinds), "unknown"], dtype=object)[codes]
