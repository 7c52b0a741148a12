"""Metrics of benign against malignant, for many bootstrap replicates at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.levels import Units
from lobule.evaluation.nodes import MOST_IN_FULL, along_nodes, corrected, in_turns, joined, node_counts, nodes_of
from lobule.evaluation.sums import confusions, divide, weighted_sums

__all__ = ["BINARY_METRICS", "CALIBRATION_BINS", "binary_values", "calibration_bin", "probability_values"]

BINARY_METRICS: Final = (
    *("auroc", "average_precision", "accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "mcc"),
    *("brier", "log_loss", "ece", "patient_recognition_rate"),
)
CALIBRATION_BINS: Final = 15
_SMALLEST_PROBABILITY: Final = 1e-9

Values = dict[str, NDArray[np.float64]]


def calibration_bin(probability: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the calibration bin of each P(malignant): 15 of equal width, bin k from k/15 up to but not (k+1)/15.

    A probability of 1 belongs to the last bin.
    """
    return np.minimum((probability * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)


def binary_values(units: Units, multiplicity: NDArray[np.float64]) -> Values:
    """Return every metric of `BINARY_METRICS`, shape (r,), in r replicates; NaN where undefined.

    Malignant is the positive class. Undefined is a ratio over nothing, and:

    - `auroc` (by logit, pooled over all folds; ties count one half), `average_precision` (by logit; the sum of
      precision times step in recall), `balanced_accuracy` (mean of recall and specificity) and `mcc` (Matthews'
      correlation) unless both classes are there.
    - `f1` (2 TP / (2 TP + FP + FN)) without malignant units.

    Of the probabilities: `brier` is the mean squared error, `log_loss` the mean negative log-likelihood (natural
    logarithm; probabilities kept 1e-9 from 0 and 1, which is as far as nine digits reach), `ece` the expected
    calibration error over the 15 bins of `calibration_bin`: the mean over units of |share of malignant units - mean
    P(malignant)| of the unit's bin.

    `patient_recognition_rate` (Spanhol 2016) is the mean over patients of the share of the patient's images that are
    right; images without a patient are left out. It is defined for images only.

    Args:
        units: n images or cases.
        multiplicity: shape (r, cases), how often each case counts.
    """
    return {
        **_ranking(units, multiplicity),
        **_decisions(units, multiplicity),
        **probability_values(units, multiplicity),
    }


def _decisions(units: Units, multiplicity: NDArray[np.float64]) -> Values:
    cell = units.true * 2 + units.predicted
    tn, fp, fn, tp = confusions(units.case, cell, multiplicity, cells=4).T
    recall, specificity = divide(tp, tp + fn), divide(tn, tn + fp)
    right = (units.true == units.predicted) * units.share
    patients = weighted_sums(units.case, np.stack([right, units.share], axis=1), multiplicity)
    return {
        "accuracy": divide(tp + tn, tp + tn + fp + fn),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": divide(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": np.where(tp + fn > 0, divide(2 * tp, 2 * tp + fp + fn), np.nan),
        "mcc": divide(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))),
        "patient_recognition_rate": divide(patients[:, 0], patients[:, 1]),
    }


def probability_values(units: Units, multiplicity: NDArray[np.float64]) -> Values:
    """Return `brier`, `log_loss` and `ece` of `units.probability`, shape (r,), in r replicates; see `binary_values`."""
    gap = units.malignant - units.probability
    likelihood = np.where(units.malignant, units.probability, 1 - units.probability)
    surprise = -np.log(np.clip(likelihood, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY))
    columns = np.stack([np.ones(len(units)), gap**2, surprise], axis=1)
    total, squares, surprises = weighted_sums(units.case, columns, multiplicity).T
    bins = calibration_bin(units.probability)
    gaps = confusions(units.case, bins, multiplicity, cells=CALIBRATION_BINS, values=gap)
    return {
        "brier": divide(squares, total),
        "log_loss": divide(surprises, total),
        "ece": divide(np.abs(gaps).sum(axis=1), total),
    }


def _ranking(units: Units, multiplicity: NDArray[np.float64]) -> Values:
    if units.malignant.all() or not units.malignant.any():
        undefined = np.full(len(multiplicity), np.nan)
        return {"auroc": undefined, "average_precision": undefined}
    order = np.argsort(-units.score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(units.score[order])), len(order) - 1)

    def in_full(drawn: NDArray[np.float64]) -> Values:
        weights = drawn[:, units.case[order]]
        reached = np.cumsum(weights, axis=1)[:, ends]
        tp = np.cumsum(np.multiply(weights, units.malignant[order], out=weights), axis=1)[:, ends]
        return _areas(tp, reached)

    if len(units) <= MOST_IN_FULL or len(multiplicity) == 1:
        return joined(in_full(drawn) for drawn in in_turns(multiplicity, len(units)))
    node = nodes_of(order, ends)

    def on_nodes(drawn: NDArray[np.float64]) -> Values:
        return along_nodes(_areas, node_counts(units.case, node, units.malignant, drawn))

    return corrected(on_nodes, in_full(np.ones((1, multiplicity.shape[1]))), multiplicity)


def _areas(tp: NDArray[np.float64], reached: NDArray[np.float64]) -> Values:
    """Return the areas under both curves of how many malignant units, and units at all, are reached at each step."""
    fp = reached - tp
    positives, negatives = tp[:, -1], fp[:, -1]
    step_tp, step_fp = np.diff(tp, axis=1, prepend=0), np.diff(fp, axis=1, prepend=0)
    area = (step_fp * (tp - step_tp / 2)).sum(axis=1)
    precision = np.divide(tp, reached, out=np.zeros_like(tp), where=reached > 0)
    both = (positives > 0) & (negatives > 0)
    return {
        "auroc": divide(area, positives * negatives),
        "average_precision": np.where(both, divide((step_tp * precision).sum(axis=1), positives), np.nan),
    }
