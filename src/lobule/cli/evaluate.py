"""`lobule evaluate`: score again, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lobule.cli.checklists import checklist_names, write_scored_checklists
from lobule.cli.console import disclaim, say, show_json, shown_progress
from lobule.cli.options import AsJson, ChecklistNames, Seed
from lobule.cli.scores import show_scores
from lobule.errors import ConfigError

if TYPE_CHECKING:
    from lobule.config import DecisionSettings

__all__ = ["evaluate"]


def evaluate(
    source: Annotated[Path, typer.Argument(help="Run folder, or a predictions.csv made anywhere.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for metrics.json and the scored predictions.csv.")],
    bootstrap: Annotated[int, typer.Option("--bootstrap", help="Replicates of the case bootstrap.", min=0)] = 2000,
    threshold: Annotated[
        str | None,
        typer.Option("--threshold", help="A probability, or a rule: balanced_accuracy, sensitivity:0.95."),
    ] = None,
    checklist: ChecklistNames = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Score predictions again, from a run folder or from any predictions.csv."""
    from lobule.evaluation.decision.decide import decide, decided
    from lobule.evaluation.metrics import evaluate as score
    from lobule.evaluation.predictions import Predictions

    wanted = checklist_names(checklist)
    if (out / "run.json").exists():
        raise ConfigError(f"--out {out}: is a run folder, whose own results stay; name another folder.")
    decision = _decision(source, threshold)
    predictions = Predictions.read(source / "predictions.csv" if source.is_dir() else source)
    with shown_progress() as progress:
        metrics = score(predictions, decision=decision, bootstrap=bootstrap, seed=seed or 0, progress=progress)
    decided(predictions, decide(predictions, decision)).write(out / "predictions.csv")
    metrics.write(out / "metrics.json")
    files = write_scored_checklists(source, out, wanted, predictions=predictions, metrics=metrics, bootstrap=bootstrap)
    if as_json:
        show_json(metrics.document)
    else:
        show_scores(metrics)
        say(f"{out / 'metrics.json'}")
        for file in files:
            say(str(file))
        disclaim()


def _decision(source: Path, threshold: str | None) -> DecisionSettings:
    """Return the settings of the run that is scored again, or the defaults, with another rule where one is given."""
    from lobule.config import DecisionSettings, load_config

    recorded = source / "config.yaml"
    settings = load_config(recorded).decision if recorded.is_file() else DecisionSettings()
    if threshold is None:
        return settings
    rule = threshold if ":" in threshold or threshold == "balanced_accuracy" else f"fixed:{threshold}"
    return settings.model_copy(update={"threshold": rule})
