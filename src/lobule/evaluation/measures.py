"""A metric with its interval and the numbers of images and cases behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.intervals import (
    MIN_CASES,
    Interval,
    case_multiplicities,
    clopper_pearson,
    percentile_interval,
)
from lobule.evaluation.levels import Units
from lobule.evaluation.nodes import MOST_IN_FULL

__all__ = ["Measure", "Rule", "ValuesOf", "binary_rules", "class_rules", "fewest_cases", "measure", "subtype_rules"]

Mask = NDArray[np.bool_]
ValuesOf = Callable[[NDArray[np.float64]], dict[str, NDArray[np.float64]]]

_NEGLIGIBLE: Final = 1e-9
_WEIGHTS_AT_ONCE: Final = 2_000_000
_WEIGHTS_OF_CASES: Final = 8_000_000


@dataclass(frozen=True)
class Measure:
    """A metric: its value, its 95 % interval (None where not given), and what it was measured on."""

    value: float | None
    low: float | None
    high: float | None
    n_images: int
    n_cases: int


@dataclass(frozen=True, eq=False)
class Rule:
    """What a metric counts.

    Attributes:
        name: key of the metric's values.
        counted: shape (n,), the units that the metric is about; their images and cases stand beside it.
        needed: masks of shape (n,); each must hold `MIN_CASES` cases for an interval.
        proportion: whether the metric is the share of counted units that are right.
        right: shape (n,), which units are right; None: those whose class was predicted.
        has_interval: False for a metric whose bootstrap is biased, such as the calibration error.
    """

    name: str
    counted: Mask
    needed: Sequence[Mask]
    proportion: bool = False
    right: Mask | None = None
    has_interval: bool = True


def binary_rules(units: Units) -> list[Rule]:
    """Return the rules of `BINARY_METRICS`."""
    every, malignant = np.ones(len(units), bool), units.malignant
    both = (malignant, ~malignant)
    ranked = [Rule(name, every, both) for name in ("auroc", "average_precision", "balanced_accuracy", "f1", "mcc")]
    pooled = [Rule(name, every, (every,)) for name in ("brier", "log_loss", "patient_recognition_rate")]
    return [
        *ranked,
        *pooled,
        Rule("ece", every, (every,), has_interval=False),
        Rule("accuracy", every, (every,), proportion=True),
        Rule("precision", units.predicted == 1, both, proportion=True),
        Rule("recall", malignant, (malignant,), proportion=True),
        Rule("specificity", ~malignant, (~malignant,), proportion=True),
    ]


def subtype_rules(units: Units, *, scorable: NDArray[np.bool_]) -> list[Rule]:
    """Return the rules of `SUBTYPE_METRICS`."""
    every = np.ones(len(units), bool)
    present = [units.true == k for k in np.flatnonzero(scorable) if (units.true == k).any()]
    return [
        Rule("accuracy", every, (every,), proportion=True),
        Rule("balanced_accuracy", every, present),
        Rule("macro_f1", every, present),
        Rule("cohen_kappa", every, (every,)),
    ]


def class_rules(units: Units, name: str, index: int) -> list[Rule]:
    """Return the rules of one subtype's `CLASS_METRICS`."""
    own = units.true == index
    return [
        Rule(f"precision {name}", units.predicted == index, (own, ~own), proportion=True),
        Rule(f"recall {name}", own, (own,), proportion=True),
        Rule(f"f1 {name}", own, (own, ~own)),
    ]


def measure(
    units: Units, rules: Sequence[Rule], values_of: ValuesOf, *, bootstrap: int, seed: int
) -> dict[str, Measure]:
    """Return the metrics of the rules with their intervals.

    Intervals come from a bootstrap over cases, except proportions of cases, which have exact ones.

    Args:
        units: what is scored; at least one.
        rules: one for every metric.
        values_of: maps multiplicities, shape (r, cases), to the values of all metrics, each of shape (r,).
        bootstrap: number of replicates; with 0 only exact intervals are given.
        seed: fixes the draws.
    """
    cases = int(units.case.max()) + 1
    point = values_of(np.ones((1, cases)))
    block = max(1, _WEIGHTS_AT_ONCE // max(len(units), 1))
    drawn = case_multiplicities(units.case, units.malignant, replicates=bootstrap, seed=seed, block=block)
    if len(units) > MOST_IN_FULL:  # The draws are the same; what is counted once for all of them is counted less often.
        drawn = _together(drawn, max(1, _WEIGHTS_OF_CASES // cases))
    blocks = [values_of(multiplicity) for multiplicity in drawn]
    measures = {}
    for rule in rules:
        replicates = np.concatenate([np.empty(0), *(values[rule.name] for values in blocks)])
        measures[rule.name] = _measured(units, rule, float(point[rule.name][0]), replicates)
    return measures


def _together(drawn: Iterator[NDArray[np.float64]], rows: int) -> Iterator[NDArray[np.float64]]:
    """Yield the same replicates in larger blocks, of at least so many rows but for the last."""
    waiting: list[NDArray[np.float64]] = []
    for block in drawn:
        waiting.append(block)
        if sum(map(len, waiting)) >= rows:
            together, waiting = np.concatenate(waiting), []
            yield together
    if waiting:
        yield np.concatenate(waiting)


def _measured(units: Units, rule: Rule, value: float, replicates: NDArray[np.float64]) -> Measure:
    low, high = None, None
    if not np.isnan(value) and (bounds := _interval(units, rule, replicates)) is not None:
        low, high = bounds
    return Measure(
        value=None if np.isnan(value) else _rounded(value),
        low=None if low is None else _rounded(low),
        high=None if high is None else _rounded(high),
        n_images=units.n_images(rule.counted),
        n_cases=units.n_cases(rule.counted),
    )


def fewest_cases(units: Units, rule: Rule) -> int:
    """Return the fewest cases among what a metric needs; 0 where it may have no interval."""
    fewest = min(units.n_cases(mask) for mask in rule.needed)
    return fewest if rule.has_interval and fewest >= MIN_CASES else 0


def _interval(units: Units, rule: Rule, replicates: NDArray[np.float64]) -> Interval:
    if not (cases := fewest_cases(units, rule)):
        return None
    if rule.proportion and units.level == "case":
        right = units.true == units.predicted if rule.right is None else rule.right
        return clopper_pearson(int((rule.counted & right).sum()), int(rule.counted.sum()))
    bounds = percentile_interval(replicates, cases=cases)
    # Where no draw differs from the next (no error was made), resampling knows nothing.
    return None if bounds is None or bounds[1] - bounds[0] < _NEGLIGIBLE else bounds


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
