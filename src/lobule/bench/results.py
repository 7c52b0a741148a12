"""What a benchmark found: quantities measured several times, ratios of their medians, and what was left out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lobule.errors import ConfigError

__all__ = ["Ratio", "Report", "Result", "Series", "Skipped"]


@dataclass(frozen=True)
class Series:
    """One quantity, measured several times.

    Attributes:
        name: unique within a report.
        unit: such as `images/s` or `s`.
        values: in the order they were measured; finite and positive.
        extrapolated: whether a part of it was not measured but reckoned.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    extrapolated: bool = False

    @property
    def median(self) -> float:
        """Median of the values."""
        return float(statistics.median(self.values))


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians, and what it should be.

    Attributes:
        name: unique within a report.
        value: the ratio.
        meaning: how it is made of the medians.
        at_least: the target, where a large ratio is good; None: no such target.
        at_most: the target, where a small ratio is good; None: no such target.
    """

    name: str
    value: float
    meaning: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def target(self) -> str:
        """The target in words; "" where there is none."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return f"at most {self.at_most:g}" if self.at_most is not None else ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.value <= self.at_most if self.at_most is not None else None


@dataclass(frozen=True)
class Skipped:
    """A rival that is not there: its name, and the line that brings it."""

    name: str
    remedy: str


@dataclass(frozen=True)
class Result:
    """The answer to one question.

    Attributes:
        question: `encode`, `train`, `predict`, `serve` or `scale`.
        workload: what was measured on, in words, by name: backbone, weights, images.
        series: the quantities.
        ratios: what follows from their medians.
        skipped: rivals that are not installed.
        notes: what a reader must know of the numbers.
    """

    question: str
    workload: Mapping[str, str]
    series: tuple[Series, ...]
    ratios: tuple[Ratio, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    def median(self, name: str) -> float:
        """Return the median of a quantity.

        Raises:
            ConfigError: there is none of that name.
        """
        for series in self.series:
            if series.name == name:
                return series.median
        raise ConfigError(f"{name}: not measured; measured: {', '.join(series.name for series in self.series)}.")


@dataclass(frozen=True)
class Report:
    """All answers of one run.

    Attributes:
        machine: versions and hardware, as a JSON value.
        command: the command line.
        results: one a question.
    """

    machine: Mapping[str, Any]
    command: str
    results: Sequence[Result]

    def to_json(self) -> dict[str, Any]:
        """Return everything as one JSON value; `medians` and `ratios` are flat, by name."""
        series = [each for result in self.results for each in result.series]
        return {
            "machine": dict(self.machine),
            "command": self.command,
            "workload": {result.question: dict(result.workload) for result in self.results},
            "medians": {each.name: each.median for each in series},
            "units": {each.name: each.unit for each in series},
            "values": {each.name: list(each.values) for each in series},
            "extrapolated": [each.name for each in series if each.extrapolated],
            "ratios": {ratio.name: ratio.value for result in self.results for ratio in result.ratios},
            "targets": {
                ratio.name: {"at_least": ratio.at_least, "at_most": ratio.at_most, "met": ratio.is_met}
                for result in self.results
                for ratio in result.ratios
                if ratio.target
            },
            "skipped": {each.name: each.remedy for result in self.results for each in result.skipped},
            "notes": {result.question: list(result.notes) for result in self.results},
        }
