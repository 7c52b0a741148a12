"""What can be reported of a run that is over, or of predictions alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lobule.config import Config, DecisionSettings, load_config
from lobule.data.manifest import Manifest
from lobule.data.phantom import is_phantom
from lobule.data.split import Split
from lobule.errors import DataError
from lobule.evaluation.metrics import Metrics
from lobule.evaluation.predictions import Predictions
from lobule.report.inputs import ReportInputs
from lobule.report.search_record import SEARCH_FILE, SearchRecord

__all__ = ["recorded_inputs", "scored_inputs"]


def recorded_inputs(
    run: Path,
    *,
    metrics: Metrics | None = None,
    predictions: Predictions | None = None,
    config: Config | None = None,
) -> ReportInputs:
    """Return what a finished run has written; its audit's findings and gallery are left out.

    Args:
        run: the run folder.
        metrics: instead of the run's own, such as those of another threshold.
        predictions: instead of reading them again.
        config: the settings that `metrics` were measured with; None: the run's.

    Raises:
        DataError: the folder has no readable run.json.
        LobuleError: another of its files cannot be read.
    """
    record = _record(run)
    manifest = Manifest.read(run / "manifest.csv")
    epochs: Mapping[str, list[int]] = record.get("epochs") or {}
    robustness, search = run / "robustness.csv", run / SEARCH_FILE
    return ReportInputs(
        title=run.resolve().name,
        metrics=metrics or Metrics.read(run / "metrics.json"),
        predictions=predictions or Predictions.read(run / "predictions.csv"),
        history=pd.read_csv(run / "history.csv"),
        chosen_epochs={task: numbers[-1] for task, numbers in epochs.items()},
        manifest=manifest,
        split=Split.read(run / "split.json", manifest),
        config=config or load_config(run / "config.yaml"),
        robustness=pd.read_csv(robustness) if robustness.is_file() else None,
        search=SearchRecord.read(search) if search.is_file() else None,
        run=record,
        synthetic=is_phantom(Path((record.get("arguments") or {}).get("data", ""))),
    )


def scored_inputs(
    predictions: Predictions, metrics: Metrics, *, title: str, decision: DecisionSettings | None = None
) -> ReportInputs:
    """Return what is known of predictions that were made elsewhere: themselves and their metrics."""
    return ReportInputs(title=title, metrics=metrics, predictions=predictions, decision=decision)


def _record(run: Path) -> dict[str, Any]:
    try:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{run}: run.json cannot be read ({error}); name a folder that `lobule train` left.") from None
    if not isinstance(record, dict):
        raise DataError(f"{run}: run.json is not a record of a run; name a folder that `lobule train` left.")
    return record
