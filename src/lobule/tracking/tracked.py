"""What is tracked of a run, read from its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
import yaml

from lobule.evaluation.metrics import Metrics
from lobule.evaluation.summary import summary
from lobule.run_folder import RunFolder

__all__ = ["Scalar", "TrackedRun", "read_tracked"]

_CURVES: Final = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
_FILES: Final = ("report.html", "metrics.json", "config.yaml", "history.csv", "run.json", "search.json", "search.csv")


@dataclass(frozen=True)
class Scalar:
    """A number with its name and its step."""

    name: str
    step: int
    value: float


@dataclass(frozen=True)
class TrackedRun:
    """What is tracked of a run.

    Attributes:
        name: name of its folder.
        run_id: twelve characters that follow from its arguments.
        settings: every setting by its dotted name, as a text or number.
        metrics: by name such as `binary/folds/image/auroc`, with `_low` and `_high` for the ends of its interval.
        curves: by training such as `folds-0` or `holdout`, losses and accuracies of every epoch.
        search: by outer fit, the inner score of every configuration, its number as the step; none without a sweep.
        figures: pictures of the report, confusion matrices among them.
        files: report, metrics, settings and what else stands for the run.
    """

    name: str
    run_id: str
    settings: Mapping[str, str | float]
    metrics: Mapping[str, float]
    curves: Mapping[str, tuple[Scalar, ...]]
    search: Mapping[str, tuple[Scalar, ...]]
    figures: tuple[Path, ...]
    files: tuple[Path, ...]


def read_tracked(run: Path) -> TrackedRun:
    """Read a finished run.

    Args:
        run: the run folder.

    Raises:
        LobuleError: it is none, or a file of it cannot be read.
    """
    record = RunFolder.read_record(run)
    settings = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    return TrackedRun(
        name=run.resolve().name,
        run_id=str(record["run_id"]),
        settings=dict(_flat(settings)),
        metrics=_metrics(Metrics.read(run / "metrics.json")),
        curves=_curves(pd.read_csv(run / "history.csv", dtype={"fold": "Int64"})),
        search=_search(run / "search.csv"),
        figures=tuple(sorted((run / "figures").glob("*.png"))),
        files=tuple(run / name for name in _FILES if (run / name).is_file()),
    )


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | float]]:
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping) and item:
            yield from _flat(item, f"{name}.")
        elif isinstance(item, bool | int | float | str):
            yield name, item
        else:
            yield name, json.dumps(item)


def _metrics(metrics: Metrics) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in summary(metrics):
        name = f"{row.task}/{row.protocol}/{row.level}/{row.name}"
        numbers = {name: row.value, f"{name}_low": row.low, f"{name}_high": row.high}
        found |= {key: float(number) for key, number in numbers.items() if number is not None}
    return found


def _curves(history: pd.DataFrame) -> dict[str, tuple[Scalar, ...]]:
    curves: dict[str, list[Scalar]] = {}
    for row in history.to_dict("records"):
        name = str(row["protocol"]) if pd.isna(row["fold"]) else f"{row['protocol']}-{row['fold']}"
        curves.setdefault(name, []).extend(
            Scalar(f"{row['task']}/{curve}", int(row["epoch"]), float(row[curve]))
            for curve in _CURVES
            if pd.notna(row[curve])
        )
    return {name: tuple(scalars) for name, scalars in curves.items()}


def _search(path: Path) -> dict[str, tuple[Scalar, ...]]:
    if not path.is_file():
        return {}
    table = pd.read_csv(path)
    full = table[table["stage"] == "full"].sort_values("number")
    return {
        str(part): tuple(
            Scalar("search/inner_score", int(number), float(score))
            for number, score in zip(rows["number"], rows["score"], strict=True)
        )
        for part, rows in full.groupby("part", sort=False)
    }
