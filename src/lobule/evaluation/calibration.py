"""Whether probabilities mean what they say, before temperature and after it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.binary import CALIBRATION_BINS, calibration_bin, probability_values
from lobule.evaluation.levels import Units
from lobule.evaluation.measures import Rule
from lobule.evaluation.nodes import node_counts
from lobule.evaluation.predictions import sigmoid, softmax
from lobule.evaluation.sums import confusions, divide, weighted_sums
from lobule.taxonomy import Task

__all__ = ["BIN_RULE", "Stage", "calibration_names", "calibration_rules", "calibration_values", "recalibration"]

Stage = Literal["before", "after"]
BIN_RULE: Final = f"{CALIBRATION_BINS} bins of equal width"

_NAMES: Final[dict[Task, tuple[str, ...]]] = {
    "binary": ("brier", "log_loss", "ece", "slope", "intercept"),
    "subtype": ("brier", "log_loss", "ece"),
}
_SMALLEST: Final = 1e-9
_MOST_STEPS: Final = 25
_STEEPEST: Final = 1e3
_NODES: Final = 512
_ROWS_AT_ONCE: Final = 65_536
"""Eight probabilities a unit in half a dozen arrays: of a million units, all at once would take half a gigabyte."""

Values = dict[str, NDArray[np.float64]]


def calibration_names(task: Task) -> tuple[str, ...]:
    """Return the names of a task's calibration measures."""
    return _NAMES[task]


def calibration_rules(units: Units) -> list[Rule]:
    """Return what each calibration measure counts; slope and intercept need both classes."""
    every = np.ones(len(units), bool)
    both = (units.malignant, ~units.malignant)
    needed = {"slope": both, "intercept": both}
    return [
        Rule(name, every, needed.get(name, (every,)), has_interval=name != "ece")
        for name in calibration_names(units.task)
    ]


def calibration_values(units: Units, multiplicity: NDArray[np.float64], *, stage: Stage) -> Values:
    """Return the calibration measures, shape (r,), in r replicates.

    Of the binary task `brier`, `log_loss` and `ece` are those of `binary_values`; `slope` and `intercept` are the
    coefficients of a logistic regression of the label on the log-odds (Cox, Biometrika 45:562-565, 1958): 1 and 0 for
    perfect probabilities; a slope below 1 is overconfidence. Both are undefined where the classes can be told apart
    without error. Of the subtypes `brier` is the mean sum of squared errors over the eight probabilities, 0 to 2;
    `log_loss` the mean negative log-probability of the true subtype; `ece` the calibration error of the largest
    probability over the same 15 bins.

    Args:
        units: n images or cases.
        multiplicity: shape (r, cases), how often each case counts.
        stage: before temperature (temperature 1) or after it.
    """
    temperature = units.temperature if stage == "after" else np.ones(len(units))
    if units.task == "subtype":
        return _subtype_values(units, temperature, multiplicity)
    logits = units.uncalibrated[:, 0] / temperature
    slope, intercept = recalibration(logits, units.malignant, units.case, multiplicity)
    judged = replace(units, probability=sigmoid(logits))
    return {**probability_values(judged, multiplicity), "slope": slope, "intercept": intercept}


def _subtype_values(units: Units, temperature: NDArray[np.float64], multiplicity: NDArray[np.float64]) -> Values:
    parts = (slice(start, start + _ROWS_AT_ONCE) for start in range(0, len(units), _ROWS_AT_ONCE))
    told = [_told(units.uncalibrated[rows] / temperature[rows, None], units.true[rows]) for rows in parts]
    largest, right, squared, of_truth = np.concatenate(told, axis=1)
    surprise = -np.log(np.clip(of_truth, _SMALLEST, 1))
    columns = np.stack([np.ones(len(units)), squared, surprise], axis=1)
    total, squares, surprises = weighted_sums(units.case, columns, multiplicity).T
    bins = calibration_bin(largest)
    gaps = confusions(units.case, bins, multiplicity, cells=CALIBRATION_BINS, values=right - largest)
    return {
        "brier": divide(squares, total),
        "log_loss": divide(surprises, total),
        "ece": divide(np.abs(gaps).sum(axis=1), total),
    }


def _told(logits: NDArray[np.float64], true: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return four rows of n numbers: largest probability, whether it is right, squared error, probability of truth."""
    probability, truth = softmax(logits), np.eye(logits.shape[1])[true]
    right = probability.argmax(axis=1) == true
    squared = ((probability - truth) ** 2).sum(axis=1)
    return np.stack([probability.max(axis=1), right, squared, (probability * truth).sum(axis=1)])


def recalibration(
    log_odds: NDArray[np.float64],
    malignant: NDArray[np.bool_],
    case: NDArray[np.int64],
    multiplicity: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return slope and intercept of the labels on the log-odds, each of shape (r,), by Newton's method.

    Every replicate starts from the solution of the whole. NaN where there is none: one class only, log-odds that do
    not vary, or classes that a threshold separates.

    Args:
        log_odds: shape (n,).
        malignant: shape (n,).
        case: shape (n,), the case of each unit.
        multiplicity: shape (r, cases), how often each case counts.
    """
    undefined = np.full(len(multiplicity), np.nan)
    centre, spread = float(log_odds.mean()), float(log_odds.std())
    if spread < _SMALLEST or malignant.all() or not malignant.any():
        return undefined, undefined
    node, x = _nodes((log_odds - centre) / spread)
    counts, positives = (
        np.bincount(node, weights=weights, minlength=len(x)).astype(np.float64)[None] for weights in (None, malignant)
    )
    start = _newton(x, counts, positives, np.zeros((1, 2)))
    if np.isnan(start).any():
        return undefined, undefined
    starts = np.repeat(start, len(multiplicity), axis=0)
    counts, positives = node_counts(case, node, malignant, multiplicity)
    fitted = _newton(x, counts, positives, starts)
    slope = fitted[:, 1] / spread
    return slope, fitted[:, 0] - slope * centre


def _nodes(x: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the node of each value, shape (n,), and the mean of each node's values, shape (nodes,).

    A node is a value, or, where there are more than `_NODES` of them, an interval of a `_NODES`-th of their range: far
    finer than the bootstrap can see.
    """
    values, node = np.unique(x, return_inverse=True)
    if len(values) > _NODES:
        scaled = (x - values[0]) / (values[-1] - values[0])
        _, node = np.unique(np.minimum((scaled * _NODES).astype(np.int64), _NODES - 1), return_inverse=True)
    return node, np.bincount(node, weights=x) / np.bincount(node)


def _newton(
    x: NDArray[np.float64],
    weights: NDArray[np.float64],
    positives: NDArray[np.float64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return intercepts and slopes, shape (r, 2), of r weighted logistic regressions; NaN where they run away.

    Args:
        x: shape (nodes,).
        weights: shape (r, nodes), how many units stand at each node.
        positives: shape (r, nodes), how many of them are malignant.
        start: shape (r, 2).
    """
    found = start.copy()
    powers = np.stack([np.ones_like(x), x, x * x], axis=1)
    target = positives @ powers[:, :2]
    moving = np.arange(len(found))
    for _ in range(_MOST_STEPS):
        probability = sigmoid(found[moving, :1] + found[moving, 1:] * x)
        weighted = weights[moving] * probability
        gradient = target[moving] - weighted @ powers[:, :2]
        h0, h1, h2 = (weighted * (1 - probability) @ powers).T
        determinant = h0 * h2 - h1 * h1
        sound = determinant > 1e-12 * np.maximum(h0 * h2, 1e-300)
        divisor = np.where(sound, determinant, np.nan)
        along = np.stack([h2, -h1, -h1, h0], axis=1).reshape(-1, 2, 2)
        step = np.einsum("rij,rj->ri", along, gradient) / divisor[:, None]
        found[moving] += step
        runs_away = ~sound | (np.abs(found[moving]) > _STEEPEST).any(axis=1)
        found[moving[runs_away]] = np.nan
        moving = moving[~runs_away & (np.abs(step) > 1e-10).any(axis=1)]
        if not len(moving):
            break
    found[moving] = np.nan
    return found
