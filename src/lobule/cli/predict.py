"""`lobule predict`: a model's answer on any images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lobule.cli.console import disclaim, say, show_json, shown_progress, warn
from lobule.cli.options import AsJson, Model

__all__ = ["predict"]


def predict(
    paths: Annotated[list[Path], typer.Argument(help="Images and folders of images.")],
    model: Model,
    out: Annotated[Path, typer.Option("--out", help="Predictions to write (CSV).")],
    heatmaps: Annotated[
        Path | None, typer.Option("--heatmaps", help="Folder for one overlay a task and image.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a stopped command left off.")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict images with a trained model; a file that cannot be used is listed in failures.csv, the rest goes on."""
    # Before numpy is imported: its idle threads wait busily for a while, in the way of the graph's.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from lobule.inference.opening import open_predictor

    predictor = open_predictor(model)
    from lobule.inference.batch import predict_paths

    with shown_progress() as progress:
        summary = predict_paths(paths, predictor, out, heatmaps=heatmaps, resume=resume, progress=progress)
    if as_json:
        show_json({name: str(value) if isinstance(value, Path) else value for name, value in vars(summary).items()})
    else:
        say(f"{summary.n_predicted} images predicted: {out}")
        if summary.n_refused:
            say(f"{summary.n_refused} of them are not assessable; the column reason says why.")
        disclaim()
    if summary.n_failed:
        listed = out.with_name("failures.csv")
        warn(f"{summary.n_failed} files could not be used; they are listed with the reasons in {listed}.")
        raise typer.Exit(2)
