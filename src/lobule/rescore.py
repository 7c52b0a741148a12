"""Scores predictions again, without training: those of a run, or of any tool; and reports them the same way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lobule.assessment import score
from lobule.config import Config, load_config
from lobule.controls.rivals import RIVALS
from lobule.errors import ConfigError, DataError
from lobule.evaluation.decision.decide import cases_in_several_folds, decide, decided
from lobule.evaluation.predictions import Predictions
from lobule.progress import Progress, silent
from lobule.report.checklist import write_checklists
from lobule.report.html import write_report
from lobule.report.recorded import recorded_inputs, scored_inputs
from lobule.report.search_record import SEARCH_FILE, SearchRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lobule.evaluation.metrics import Metrics

__all__ = ["Rescored", "rescore"]


@dataclass(frozen=True)
class Rescored:
    """What scoring again left.

    Attributes:
        metrics: what metrics.json says.
        files: what was written: predictions.csv, metrics.json, report.html, checklists.
        n_leaking: cases with images in several folds, which inflates everything.
    """

    metrics: Metrics
    files: tuple[Path, ...]
    n_leaking: int


def rescore(
    source: Path,
    out: Path,
    *,
    threshold: str | None = None,
    bootstrap: int | None = None,
    seed: int | None = None,
    checklists: Sequence[str] = (),
    progress: Progress = silent,
) -> Rescored:
    """Score predictions and report them; a run's rivals are scored again with it.

    Args:
        source: a run folder, or a table of predictions (see `Predictions.read`).
        out: folder for predictions.csv as decided, metrics.json, report.html and figures.
        threshold: a probability or a rule, as in the setting `decision.threshold`; None: as in the run, or
            the one that the table's own labels follow.
        bootstrap: replicates of the intervals; None: as in the run.
        seed: fixes their draws; None: as in the run.
        checklists: names of reporting checklists to fill.
        progress: told about every stage.

    Raises:
        ConfigError: `out` is a run folder, or a setting is not allowed.
        DataError: the predictions cannot be read or scored.
    """
    if (out / "run.json").exists():
        raise ConfigError(f"--out {out}: is a run folder, whose own results stay; name another folder.")
    is_run = source.is_dir()
    config = _config(source, threshold=threshold, bootstrap=bootstrap, seed=seed)
    given = Predictions.read(source / "predictions.csv" if is_run else source)
    if not len(given):
        raise DataError(f"{source}: holds no predictions; name a table with at least one image.")
    rivals = {path.stem: Predictions.read(path) for path in _rivals(source)} if is_run else {}
    decisions = decide(given, config.decision, keep_given=threshold is None)
    metrics = score(given, rivals, config=config, keep_given=threshold is None, progress=progress)
    if (source / SEARCH_FILE).is_file():
        metrics = metrics.with_search(SearchRecord.read(source / SEARCH_FILE).summary())
    predictions = decided(given, decisions)
    predictions.write(out / "predictions.csv")
    metrics.write(out / "metrics.json")
    inputs = (
        recorded_inputs(source, metrics=metrics, predictions=predictions, config=config)
        if (source / "run.json").is_file()
        else scored_inputs(predictions, metrics, title=source.stem, decision=config.decision)
    )
    inputs = replace(inputs, rescored=True)
    write_report(inputs, out / "report.html")
    filled = write_checklists(inputs, checklists, out)
    written = (out / "predictions.csv", out / "metrics.json", out / "report.html", *filled)
    return Rescored(metrics, written, cases_in_several_folds(given))


def _config(source: Path, *, threshold: str | None, bootstrap: int | None, seed: int | None) -> Config:
    recorded = source / "config.yaml"
    changed: dict[str, object] = {} if seed is None else {"seed": seed}
    if bootstrap is not None:
        changed["report"] = {"bootstrap": bootstrap}
    if threshold is not None:
        changed["decision"] = {"threshold": threshold}
    return load_config(recorded if recorded.is_file() else None, settings=changed)


def _rivals(run: Path) -> list[Path]:
    """Return the files of the rivals in the order in which the run scored them."""
    return [path for name in RIVALS if (path := run / "controls" / f"{name}.csv").is_file()]
