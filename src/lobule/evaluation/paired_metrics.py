"""Every metric of two models on the same units, from the same draws of cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.binary import binary_values
from lobule.evaluation.intervals import Interval, percentile_interval
from lobule.evaluation.levels import LEVELS, Level, Units
from lobule.evaluation.measures import Measure, Rule, ValuesOf, binary_rules, fewest_cases, subtype_rules
from lobule.evaluation.pairs import CaseDraws, Pair
from lobule.evaluation.schema import metric_names
from lobule.evaluation.simultaneous import NEGLIGIBLE
from lobule.evaluation.subtype import subtype_values
from lobule.progress import Progress, silent
from lobule.taxonomy import Task

__all__ = ["PairedMetric", "paired_metrics", "rounded"]


@dataclass(frozen=True, eq=False)
class PairedMetric:
    """One metric of both models.

    Attributes:
        task: what is predicted.
        level: whether images or cases are counted.
        name: the metric.
        a: its value for the first model; NaN where undefined.
        b: its value for the second.
        replicates: shape (r,), its difference in every draw of cases; empty where no interval may be given.
        n_images: images that the metric is about, for one model or the other.
        n_cases: their cases.
        fewest_cases: of a class that the metric needs; 0 where no interval may be given.
    """

    task: Task
    level: Level
    name: str
    a: float
    b: float
    replicates: NDArray[np.float64]
    n_images: int
    n_cases: int
    fewest_cases: int

    @property
    def difference(self) -> float:
        """The value for the first model minus that for the second; NaN where one is undefined."""
        return float(_minus(np.float64(self.a), np.float64(self.b)))

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the difference alone, None where there is none."""
        if np.isnan(self.difference) or not self.fewest_cases:
            return None
        return percentile_interval(self.replicates, cases=self.fewest_cases)

    def measure(self) -> Measure:
        """Return the difference as it stands in metrics.json."""
        low, high = self.interval or (None, None)
        return Measure(rounded(self.difference), rounded(low), rounded(high), self.n_images, self.n_cases)


def paired_metrics(
    pairs: Sequence[Pair],
    scorable: NDArray[np.bool_],
    *,
    bootstrap: int,
    seed: int,
    progress: Progress = silent,
) -> Iterator[PairedMetric]:
    """Yield every metric of every task and level, with the same draws of cases in all of them.

    Args:
        pairs: the tasks of one protocol; those without images are left out.
        scorable: shape (8,), subtypes that can be scored, from `scorable_subtypes`.
        bootstrap: number of draws.
        seed: fixes the draws.
        progress: told after each task and level.
    """
    scored = [pair for pair in pairs if len(pair)]
    draws = CaseDraws(scored, replicates=bootstrap, seed=seed)
    places = [(pair, level) for pair in scored for level in LEVELS]
    for done, (pair, level) in enumerate(places, 1):
        yield from _level_lines(pair, level, draws, scorable)
        progress("compare", done, len(places))


def _level_lines(pair: Pair, level: Level, draws: CaseDraws, scorable: NDArray[np.bool_]) -> Iterator[PairedMetric]:
    a, b = pair.units(level)
    values_a, values_b = _values_of(a, scorable), _values_of(b, scorable)
    names = metric_names(pair.task)
    once = np.ones((1, a.n_cases(np.ones(len(a), bool))))
    point_a, point_b = values_a(once), values_b(once)
    blocks = [_subtracted(values_a(drawn), values_b(drawn), names) for drawn in draws.of(pair)]
    replicates = np.concatenate([np.empty((0, len(names))), *blocks])
    rules_a, rules_b = ({rule.name: rule for rule in _rules(units, scorable)} for units in (a, b))
    for column, name in enumerate(names):
        counted = rules_a[name].counted | rules_b[name].counted
        fewest = fewest_cases(a, rules_a[name])
        yield PairedMetric(
            task=pair.task,
            level=level,
            name=name,
            a=float(point_a[name][0]),
            b=float(point_b[name][0]),
            replicates=replicates[:, column] if fewest else np.empty(0),
            n_images=a.n_images(counted),
            n_cases=a.n_cases(counted),
            fewest_cases=fewest,
        )


def _values_of(units: Units, scorable: NDArray[np.bool_]) -> ValuesOf:
    if units.task == "binary":
        return partial(binary_values, units)
    return partial(subtype_values, units, scorable=scorable)


def _rules(units: Units, scorable: NDArray[np.bool_]) -> list[Rule]:
    return binary_rules(units) if units.task == "binary" else subtype_rules(units, scorable=scorable)


def _subtracted(
    a: dict[str, NDArray[np.float64]], b: dict[str, NDArray[np.float64]], names: tuple[str, ...]
) -> NDArray[np.float64]:
    return np.stack([_minus(a[name], b[name]) for name in names], axis=1)


def _minus(a: NDArray[np.float64] | np.float64, b: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """Return a - b, exactly 0 where only rounding differs."""
    difference = np.asarray(a - b, dtype=np.float64)
    return np.where(np.abs(difference) < NEGLIGIBLE, 0.0, difference)


def rounded(value: float | None) -> float | None:
    """Return a number with nine significant digits, None where it is undefined."""
    return None if value is None or np.isnan(value) else float(f"{value:.9g}")
