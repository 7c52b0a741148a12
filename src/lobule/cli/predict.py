"""`lobule predict`: a model's answer on any images."""

from __future__ import annotations

import csv
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lobule.cli.console import disclaim, say, show_json, show_table, shown_progress, warn
from lobule.cli.options import AsJson, OptionalModel, Ray, connected, model_or_starter
from lobule.cli.targets import writable_file, writable_folder
from lobule.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lobule.inference.batch import BatchSummary
    from lobule.inference.predictor import Predictor

__all__ = ["predict"]

_SHOWN = ("path", "verdict", "prob_malignant", "pred_subtype", "reason")


def predict(
    paths: Annotated[
        list[Path], typer.Argument(help="Images and folders of images; also addresses such as s3://bucket/folder.")
    ],
    model: OptionalModel = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Predictions to write (.csv or .parquet, also s3://...); without it they are shown."
        ),
    ] = None,
    heatmaps: Annotated[
        Path | None, typer.Option("--heatmaps", help="Folder for one overlay a task and image.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a stopped command left off.")] = False,
    ray: Ray = None,
    as_json: AsJson = False,
) -> None:
    """Predict images with a trained model; a file that cannot be used is listed in failures.csv, the rest goes on."""
    # Before numpy is imported: its idle threads wait busily for a while, in the way of the graph's.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from lobule.data.remote import address_of

    if resume and out is None:
        raise ConfigError("--resume: needs --out, the file of the command that was stopped.")
    if out and not address_of(out):
        writable_file("--out", out)
    if heatmaps and not address_of(heatmaps):
        writable_folder("--heatmaps", heatmaps)
    opened = _open(model_or_starter(model), ray)
    run = partial(_run, paths, opened, heatmaps=heatmaps, resume=resume, ray=ray)
    if out is None:
        _show(run, opened, as_json=as_json)
    else:
        _write(run, out, as_json=as_json)


def _open(model: Path, ray: str | None) -> Predictor:
    """Open the model; its graph too, but where workers of a cluster will do that."""
    if ray is None:
        from lobule.inference.opening import open_predictor

        return open_predictor(model)
    from lobule.inference.predictor import Predictor

    return Predictor(model)


def _write(run: Callable[[Path], BatchSummary], out: Path, *, as_json: bool) -> None:
    summary = run(out)
    if as_json:
        show_json({name: _shown(value) if isinstance(value, Path) else value for name, value in vars(summary).items()})
    else:
        say(f"{summary.n_predicted} images predicted: {_shown(out)}")
        if summary.n_refused:
            say(f"{summary.n_refused} of them are not assessable; the column reason says why.")
        disclaim()
    if summary.n_failed:
        listed = out.with_name("failures.csv")
        warn(f"{summary.n_failed} files could not be used; they are listed with the reasons in {_shown(listed)}.")
        raise typer.Exit(2)


def _shown(path: Path) -> str:
    from lobule.data.remote import address_of

    return address_of(path) or str(path)


def _show(run: Callable[[Path], BatchSummary], predictor: Predictor, *, as_json: bool) -> None:
    """Predict into a folder that is gone afterwards, and show what came of it."""
    from lobule.data.failures import read_failures

    with tempfile.TemporaryDirectory(prefix="lobule-") as scratch:
        summary = run(Path(scratch) / "predictions.csv")
        rows = _rows(summary.out)
        failures = read_failures(summary.failures) if summary.failures else ()
    if as_json:
        show_json({"model_id": predictor.bundle.record.model_id, "predictions": rows})
    else:
        columns = ("image", "verdict", "P(malignant)", "subtype", "reason")
        shown = [[f"{value:.3f}" if isinstance(value, float) else value for value in row.values()] for row in rows]
        show_table("Predictions", columns, shown)
        disclaim()
    for failure in failures:
        warn(f"{failure.path}: {failure.reason}")
    if failures:
        raise typer.Exit(2)


def _run(
    paths: list[Path],
    predictor: Predictor,
    out: Path,
    *,
    heatmaps: Path | None,
    resume: bool,
    ray: str | None,
) -> BatchSummary:
    from lobule.inference.batch import predict_paths

    with connected(ray) as cluster, shown_progress() as progress:
        workers = cluster.answer if cluster else None
        return predict_paths(
            paths, predictor, out, heatmaps=heatmaps, resume=resume, progress=progress, workers=workers
        )


def _rows(file: Path) -> list[dict[str, str | float]]:
    """Read what is shown; without pandas, which takes longer to import than an image to answer."""
    with file.open(encoding="utf-8", newline="") as stream:
        return [
            {name: float(row[name]) if name == "prob_malignant" else row[name] for name in _SHOWN}
            for row in csv.DictReader(stream)
        ]
