"""`lobule train`: the whole job."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lobule.cli.checklists import checklist_names, write_run_checklists
from lobule.cli.console import disclaim, say, show_json, shown_progress
from lobule.cli.options import (
    AsJson,
    CasePattern,
    ChecklistNames,
    Columns,
    ConfigFile,
    Data,
    Folds,
    Group,
    Labels,
    Overrides,
    Ray,
    Root,
    Seed,
    SplitFile,
    Track,
    Validation,
    Weights,
    configured,
    connected,
    end_of_run,
    known_split,
    known_trackers,
    reading,
    tell_trackers,
)
from lobule.cli.scores import show_scores
from lobule.cli.targets import writable_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lobule.pipeline import Run

__all__ = ["train"]


def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Run folder to create or to resume.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    backbone: Annotated[str | None, typer.Option("--backbone", help="Name in the backbone registry.")] = None,
    weights: Weights = None,
    split: SplitFile = None,
    group: Group = None,
    folds: Folds = None,
    validation: Validation = None,
    labels: Labels = None,
    columns: Columns = None,
    root: Root = None,
    case_pattern: CasePattern = None,
    checklist: ChecklistNames = None,
    ray: Ray = None,
    track: Track = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Train, evaluate, explain and save a classifier: a folder of images in, a run folder out.

    The same command on the same run folder resumes it, or says that it is done.
    """
    from lobule.pipeline import train as run_pipeline

    wanted, trackers, divided = checklist_names(checklist), known_trackers(track), known_split(split)
    writable_folder("--out", out)
    read = {"group": group, "folds": folds, "validation": validation, **reading(root, labels, columns, case_pattern)}
    chosen = {"backbone": backbone, "weights": weights}
    settings = configured(config, overrides, seed=seed, data=read, features=chosen)
    with connected(ray) as cluster, shown_progress() as progress:
        run = run_pipeline(
            data,
            out,
            config=settings,
            split_file=divided,
            command=shlex.join(["lobule", *sys.argv[1:]]),
            progress=progress,
            extractor=cluster.extract if cluster else None,
        )
    files = write_run_checklists(out, wanted)
    tell_trackers(out, trackers)
    _show(run, out, files, as_json=as_json)
    end_of_run(run)


def _show(run: Run, out: Path, checklists: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        show_json(
            {"run": str(out), "was_done": run.was_done, "n_failures": run.n_failures, "metrics": run.metrics.document}
        )
    else:
        show_scores(run.metrics)
        say(f"{'Was done already: ' if run.was_done else ''}{out / 'report.html'}")
        for file in checklists:
            say(str(file))
        disclaim()
