"""The numbers behind the report's pictures; nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.evaluation.binary import CALIBRATION_BINS, calibration_bin
from lobule.evaluation.decision.operating import Decisions
from lobule.evaluation.levels import Level, Units, images_of, units_of
from lobule.evaluation.predictions import Predictions, Protocol
from lobule.evaluation.sums import divide
from lobule.taxonomy import SUBTYPES, Task, classes_of

__all__ = [
    "ConfusionMatrix",
    "PrecisionRecallCurve",
    "Reliability",
    "RocCurve",
    "confusion_matrix",
    "precision_recall_curve",
    "reliability",
    "roc_curve",
    "worst_errors",
]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Recall against false positive rate, from (0, 0) to (1, 1), with the logit that each point starts to count.

    All arrays have shape (points,); the first threshold is infinite.
    """

    false_positive_rate: Vector
    recall: Vector
    threshold: Vector

    def to_frame(self) -> pd.DataFrame:
        """Return the curve as a table."""
        return pd.DataFrame(vars(self))


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurve:
    """Precision against recall, from the lowest threshold (recall 1) to (recall 0, precision 1).

    All arrays have shape (points,); `threshold` is a logit, infinite at the last point.
    """

    recall: Vector
    precision: Vector
    threshold: Vector

    def to_frame(self) -> pd.DataFrame:
        """Return the curve as a table."""
        return pd.DataFrame(vars(self))


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Counts, shape (classes, classes): rows are the true classes, columns the predicted ones."""

    labels: tuple[str, ...]
    counts: NDArray[np.int64]

    def to_frame(self) -> pd.DataFrame:
        """Return the counts as a table with the true class in its index."""
        return pd.DataFrame(self.counts, index=pd.Index(self.labels, name="true"), columns=list(self.labels))


@dataclass(frozen=True, eq=False)
class Reliability:
    """The 15 bins of the ECE: what was promised and what came true.

    All arrays have shape (15,); `probability` (mean P(malignant)) and `malignant` (share of malignant units) are NaN
    in empty bins.
    """

    low: Vector
    high: Vector
    probability: Vector
    malignant: Vector
    n: NDArray[np.int64]

    def to_frame(self) -> pd.DataFrame:
        """Return the bins as a table."""
        return pd.DataFrame(vars(self))


def roc_curve(predictions: Predictions, *, protocol: Protocol = "folds", level: Level = "image") -> RocCurve | None:
    """Return the ROC curve of malignant by logit, or None unless both classes are there."""
    units = _units(predictions, "binary", protocol, level)
    if len(set(units.true.tolist())) < 2:
        return None
    from sklearn.metrics import roc_curve as points

    return RocCurve(*(np.asarray(part, np.float64) for part in points(units.true, units.score)))


def precision_recall_curve(
    predictions: Predictions, *, protocol: Protocol = "folds", level: Level = "image"
) -> PrecisionRecallCurve | None:
    """Return the precision-recall curve of malignant by logit, or None unless both classes are there."""
    units = _units(predictions, "binary", protocol, level)
    if len(set(units.true.tolist())) < 2:
        return None
    from sklearn.metrics import precision_recall_curve as points

    precision, recall, threshold = points(units.true, units.score, drop_intermediate=True)
    return PrecisionRecallCurve(recall=recall, precision=precision, threshold=np.append(threshold, np.inf))


def confusion_matrix(
    predictions: Predictions,
    task: Task,
    *,
    protocol: Protocol = "folds",
    level: Level = "image",
    decisions: Decisions | None = None,
) -> ConfusionMatrix:
    """Return the counts of true and predicted classes (by `decisions`, else at 0.5); all 0 without scored images."""
    units = _units(predictions, task, protocol, level, decisions=decisions)
    return ConfusionMatrix(classes_of(task), units.confusion())


def reliability(
    predictions: Predictions,
    *,
    protocol: Protocol = "folds",
    level: Level = "image",
    decisions: Decisions | None = None,
) -> Reliability:
    """Return what was promised and what came true in the bins of the ECE; before temperature without `decisions`."""
    units = _units(predictions, "binary", protocol, level, decisions=decisions)
    bins = calibration_bin(units.probability)
    count, promised, true = (
        np.bincount(bins, weights=values, minlength=CALIBRATION_BINS).astype(np.float64)
        for values in (np.ones(len(units)), units.probability, units.malignant.astype(np.float64))
    )
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    return Reliability(
        low=edges[:-1],
        high=edges[1:],
        probability=divide(promised, count),
        malignant=divide(true, count),
        n=count.astype(np.int64),
    )


def worst_errors(
    predictions: Predictions, n: int, *, task: Task = "binary", protocol: Protocol = "folds", per_case: int = 2
) -> pd.DataFrame:
    """Return the images that are called wrong with the most confidence, at most `per_case` of a case.

    Args:
        predictions: any protocols.
        n: most rows.
        task: whose errors.
        protocol: which predictions.
        per_case: most rows of one case, so that one bad slide does not fill the gallery.

    Returns:
        Rows of the predictions (all their columns, and `true`, `predicted`, `confidence`: the probability of the wrong
        class), most confident first.
    """
    frame = predictions.frame
    truth, called = ("label", "pred_label") if task == "binary" else ("subtype", "pred_subtype")
    known = (frame["protocol"] == protocol) & (frame[truth] != "") & (frame[called] != "")
    rows = frame[known.to_numpy(dtype=bool) & ~np.isnan(predictions.probabilities(task)).any(axis=1)]
    stated = rows.assign(true=rows[truth], predicted=rows[called], confidence=_confidence(rows, called))
    wrong = stated[stated["true"] != stated["predicted"]]
    ranked = wrong.sort_values(["confidence", "image_id"], ascending=[False, True], kind="stable")
    return ranked[ranked.groupby("case_id").cumcount() < per_case].head(n).reset_index(drop=True)


def _confidence(rows: pd.DataFrame, called: str) -> Vector:
    """Return the probability of the class that each row was called."""
    by_class = {"malignant": rows["prob_malignant"], "benign": 1 - rows["prob_malignant"]}
    by_class |= {name: rows[f"prob_{name}"] for name in SUBTYPES}
    cells = zip(rows.index, rows[called], strict=True)
    return np.array([by_class[name][row] for row, name in cells], dtype=np.float64)


def _units(
    predictions: Predictions, task: Task, protocol: Protocol, level: Level, *, decisions: Decisions | None = None
) -> Units:
    return units_of(images_of(predictions, task, protocol, decisions=decisions), level)
