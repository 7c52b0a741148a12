"""`lobule evaluate`: score again, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lobule.cli.checklists import checklist_names
from lobule.cli.console import disclaim, say, show_json, shown_progress, warn
from lobule.cli.options import AsJson, ChecklistNames, Seed
from lobule.cli.scores import show_scores
from lobule.cli.targets import writable_folder

__all__ = ["evaluate"]


def evaluate(
    source: Annotated[Path, typer.Argument(help="Run folder, or a predictions.csv made anywhere.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the report, metrics.json and predictions.csv.")],
    bootstrap: Annotated[
        int | None, typer.Option("--bootstrap", help="Replicates of the case bootstrap; default 2000.", min=0)
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option("--threshold", help="A probability, or a rule: balanced_accuracy, sensitivity:0.95."),
    ] = None,
    checklist: ChecklistNames = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Score and report predictions again, from a run folder or from any predictions.csv."""
    from lobule.rescore import rescore

    wanted = checklist_names(checklist)
    writable_folder("--out", out)
    with shown_progress() as progress:
        scored = rescore(
            source, out, threshold=threshold, bootstrap=bootstrap, seed=seed, checklists=wanted, progress=progress
        )
    if scored.n_leaking:
        warn(
            f"{scored.n_leaking} cases have images in several folds: what was tested on was also trained on, and every "
            "number is inflated."
        )
    if as_json:
        show_json(scored.metrics.document)
        return
    show_scores(scored.metrics)
    for file in scored.files:
        say(str(file))
    disclaim()
