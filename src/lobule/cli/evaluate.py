"""`lobule evaluate`: score again, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lobule.cli.console import disclaim, say, show_json, shown_progress
from lobule.cli.options import AsJson, Seed
from lobule.cli.scores import show_scores
from lobule.errors import ConfigError

__all__ = ["evaluate"]


def evaluate(
    source: Annotated[Path, typer.Argument(help="Run folder, or a predictions.csv made anywhere.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for metrics.json and the scored predictions.csv.")],
    bootstrap: Annotated[int, typer.Option("--bootstrap", help="Replicates of the case bootstrap.", min=0)] = 2000,
    threshold: Annotated[float, typer.Option("--threshold", help="Lowest P(malignant) called malignant.")] = 0.5,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Score predictions again, from a run folder or from any predictions.csv."""
    from lobule.evaluation.metrics import evaluate as score
    from lobule.evaluation.predictions import Predictions

    if (out / "run.json").exists():
        raise ConfigError(f"--out {out}: is a run folder, whose own results stay; name another folder.")
    predictions = Predictions.read(source / "predictions.csv" if source.is_dir() else source)
    with shown_progress() as progress:
        metrics = score(predictions, bootstrap=bootstrap, seed=seed or 0, threshold=threshold, progress=progress)
    predictions.write(out / "predictions.csv")
    metrics.write(out / "metrics.json")
    if as_json:
        show_json(metrics.document)
    else:
        show_scores(metrics)
        say(f"{out / 'metrics.json'}")
        disclaim()
