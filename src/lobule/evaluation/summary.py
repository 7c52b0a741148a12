"""Metrics as rows of a table, for the command line and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lobule.evaluation.columns import PROTOCOLS
from lobule.evaluation.levels import LEVELS, Level
from lobule.evaluation.metrics import Metrics
from lobule.evaluation.predictions import Protocol
from lobule.evaluation.schema import metric_names
from lobule.evaluation.subtype import CLASS_METRICS
from lobule.taxonomy import TASKS, Task

__all__ = ["MetricRow", "strata", "summary"]


@dataclass(frozen=True)
class MetricRow:
    """One metric; `stratum` says of which part of the images ("" for all), e.g. "magnification 40"."""

    task: Task
    protocol: Protocol
    level: Level
    name: str
    value: float | None
    low: float | None
    high: float | None
    n_images: int
    n_cases: int
    stratum: str = ""


def summary(metrics: Metrics) -> list[MetricRow]:
    """Return every metric over all images: by task, protocol, level, and in the order of `metric_names`."""
    return [_row(place, name, block[name], "") for place, block in _levels(metrics) for name in metric_names(place[0])]


def strata(metrics: Metrics) -> list[MetricRow]:
    """Return the metrics by magnification and by subtype (for the subtype task those of each class)."""
    rows = []
    for place, block in _levels(metrics):
        for part in ("by_magnification", "by_subtype"):
            for stratum, found in block.get(part, {}).items():
                stated = f"{part.removeprefix('by_')} {stratum}"
                rows += [_row(place, name, metric, stated) for name, metric in found.items()]
        for stratum, found in block.get("per_class", {}).items():
            for name in CLASS_METRICS:
                bounds = found.get("intervals", {}).get(name, {"low": None, "high": None})
                metric = {**found, **bounds, "value": found[name]}
                rows.append(_row(place, name, metric, f"subtype {stratum}"))
    return rows


def _levels(metrics: Metrics) -> Iterator[tuple[tuple[Task, Protocol, Level], Mapping[str, Any]]]:
    for task in TASKS:
        for protocol in PROTOCOLS:
            for level in LEVELS:
                if block := (metrics.document[task] or {}).get(protocol, {}).get(level):
                    yield (task, protocol, level), block


def _row(place: tuple[Task, Protocol, Level], name: str, metric: Mapping[str, Any], stratum: str) -> MetricRow:
    task, protocol, level = place
    numbers = {key: metric[key] for key in ("value", "low", "high", "n_images", "n_cases")}
    return MetricRow(task=task, protocol=protocol, level=level, name=name, stratum=stratum, **numbers)
