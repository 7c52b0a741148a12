"""What is scored: images, or cases put together from their images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lobule.errors import DataError
from lobule.evaluation.predictions import Predictions, Protocol, sigmoid
from lobule.taxonomy import SUBTYPES, Task, classes_of

__all__ = ["LEVELS", "Images", "Level", "Units", "images_of", "units_of"]

Level = Literal["image", "case"]
LEVELS: Final[tuple[Level, ...]] = ("image", "case")

_SMALLEST_ODDS: Final = 1e-9


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
        logits: shape (n, 1) or (n, 8), before temperature.
        probability: shape (n,), P(malignant); zeros for subtypes.
    """

    task: Task
    case: NDArray[np.int64]
    patient: NDArray[np.int64]
    magnification: NDArray[np.object_]
    subtype: NDArray[np.int64]
    true: NDArray[np.int64]
    logits: NDArray[np.float64]
    probability: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.case)

    def where(self, mask: NDArray[np.bool_]) -> Images:
        """Return the images that a mask of shape (n,) picks."""
        return replace(
            self,
            case=_renumbered(self.case[mask]),
            patient=self.patient[mask],
            magnification=self.magnification[mask],
            subtype=self.subtype[mask],
            true=self.true[mask],
            logits=self.logits[mask],
            probability=self.probability[mask],
        )


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
        probability: shape (n,), P(malignant); zeros for subtypes.
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
        return len(np.unique(self.case[mask]))


def images_of(predictions: Predictions, task: Task, protocol: Protocol) -> Images:
    """Return the images of a protocol that can be scored for a task.

    They are sorted by image id and cases are numbered in that order, so that neither the order of the rows nor the
    names of the cases change a result.

    Raises:
        DataError: an image that can be scored has no case.
    """
    frame = predictions.frame
    truth = frame["label" if task == "binary" else "subtype"].to_numpy(dtype=object)
    known = (frame["protocol"] == protocol).to_numpy() & (truth != "")
    known &= ~np.isnan(predictions.logits(task)).any(axis=1) & ~np.isnan(predictions.probabilities(task)).any(axis=1)
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(frame["image_id"].to_numpy(dtype=object)[rows], kind="stable")]
    picked = frame.iloc[rows]
    _check_cases(picked["image_id"].tolist(), picked["case_id"].tolist())
    return Images(
        task=task,
        case=_numbered(picked["case_id"].tolist()),
        patient=_numbered(picked["patient_id"].tolist()),
        magnification=_magnifications(picked["magnification"].tolist()),
        subtype=_indices(picked["subtype"].tolist(), SUBTYPES),
        true=_indices(truth[rows].tolist(), classes_of(task)),
        logits=predictions.logits(task)[rows],
        probability=predictions.probabilities(task)[rows, 0] if task == "binary" else np.zeros(len(rows)),
    )


def units_of(images: Images, level: Level, *, threshold: float) -> Units:
    """Return the units of a level.

    A case of the binary task is all images with the same case and label: its score is the mean logit, its probability
    the sigmoid of the images' mean log-odds. A case of the subtype task is all images with the same case and subtype:
    its class has the largest mean logit.

    Args:
        images: the images.
        level: "image" or "case".
        threshold: lowest P(malignant) that is called malignant.
    """
    return _image_units(images, threshold) if level == "image" else _case_units(images, threshold)


def _image_units(images: Images, threshold: float) -> Units:
    per_patient = np.bincount(images.patient[images.patient >= 0], minlength=1)
    return Units(
        task=images.task,
        level="image",
        case=images.case,
        true=images.true,
        predicted=_predicted(images.task, images.logits, images.probability, threshold),
        score=_score(images.task, images.logits),
        probability=images.probability,
        share=np.where(images.patient >= 0, 1.0 / np.maximum(per_patient, 1)[images.patient], 0.0),
        images=np.ones(len(images), np.int64),
    )


def _case_units(images: Images, threshold: float) -> Units:
    classes = len(classes_of(images.task))
    keys, unit = np.unique(images.case * classes + images.true, return_inverse=True)
    count = np.bincount(unit, minlength=len(keys))
    logits = np.stack([_means(unit, column, count) for column in images.logits.T], axis=1)
    clipped = np.clip(images.probability, _SMALLEST_ODDS, 1 - _SMALLEST_ODDS)
    probability = sigmoid(_means(unit, np.log(clipped) - np.log1p(-clipped), count))
    return Units(
        task=images.task,
        level="case",
        case=keys // classes,
        true=keys % classes,
        predicted=_predicted(images.task, logits, probability, threshold),
        score=_score(images.task, logits),
        probability=probability if images.task == "binary" else np.zeros(len(keys)),
        share=np.zeros(len(keys)),
        images=count,
    )


def _means(group: NDArray[np.intp], values: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(group, weights=values, minlength=len(count)) / count


def _predicted(
    task: Task, logits: NDArray[np.float64], probability: NDArray[np.float64], threshold: float
) -> NDArray[np.int64]:
    if task == "binary":
        return (probability >= threshold).astype(np.int64)
    return np.asarray(logits.argmax(axis=1), dtype=np.int64)


def _score(task: Task, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return logits[:, 0] if task == "binary" else np.zeros(len(logits))


def _renumbered(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers in the order of first appearance, so that a part is numbered as if it were the whole."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.int64)


def _numbered(names: list[str]) -> NDArray[np.int64]:
    """Return numbers in the order of first appearance, -1 for the empty name."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) if name else -1 for name in names], dtype=np.int64)


def _indices(names: list[str], classes: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([classes.index(name) if name else -1 for name in names], dtype=np.int64)


def _check_cases(image_ids: list[str], case_ids: list[str]) -> None:
    if missing := [image for image, case in zip(image_ids, case_ids, strict=True) if not case]:
        raise DataError(
            f"predictions: column case_id is empty for {len(missing)} labelled images, e.g. {missing[0]!r}; "
            "scoring needs the case of every image: fill the column (with image_id if every image is a case of its own)"
        )


def _magnifications(cells: list[object]) -> NDArray[np.object_]:
    return np.array([str(cell) if isinstance(cell, int) else "unknown" for cell in cells], dtype=object)
