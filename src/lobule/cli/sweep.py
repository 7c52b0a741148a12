"""`lobule sweep`: the whole job, with settings that are searched."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lobule.cli.console import disclaim, say, show_json, show_table, shown_progress
from lobule.cli.options import (
    AsJson,
    CasePattern,
    Columns,
    ConfigFile,
    Data,
    Folds,
    Group,
    Labels,
    Overrides,
    Root,
    Seed,
    SplitFile,
    Track,
    Validation,
    Weights,
    configured,
    end_of_run,
    known_split,
    known_trackers,
    reading,
    tell_trackers,
)
from lobule.cli.scores import show_scores
from lobule.cli.targets import writable_folder
from lobule.errors import ConfigError

if TYPE_CHECKING:
    from lobule.config import Config
    from lobule.pipeline import Run
    from lobule.report.search_record import SearchRecord
    from lobule.sweep.settings import SweepPlan

__all__ = ["sweep"]


def sweep(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Run folder to create or to resume.")],
    trials: Annotated[int, typer.Option("--trials", help="Configurations tried, the given one included.", min=1)] = 200,
    space: Annotated[Path | None, typer.Option("--space", help="YAML file of what is searched.")] = None,
    backbone: Annotated[
        list[str] | None, typer.Option("--backbone", help="Name in the backbone registry; repeatable: all are tried.")
    ] = None,
    sampler: Annotated[str, typer.Option("--sampler", help="How they are drawn: random or tpe.")] = "random",
    objective: Annotated[
        str, typer.Option("--objective", help="What is best on the inner folds: auroc or log_loss.")
    ] = "auroc",
    finalists: Annotated[
        float, typer.Option("--finalists", help="Share trained in full; the others stop early. 1: all.")
    ] = 0.25,
    config: ConfigFile = None,
    overrides: Overrides = None,
    weights: Weights = None,
    split: SplitFile = None,
    group: Group = None,
    folds: Folds = None,
    validation: Validation = None,
    labels: Labels = None,
    columns: Columns = None,
    root: Root = None,
    case_pattern: CasePattern = None,
    track: Track = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Search settings on inner folds, then train, evaluate, explain and save as `lobule train` does.

    Every number of the report is of cases that the search behind it has not seen. The same command on the same run
    folder goes on where it was stopped.
    """
    from lobule.report.search_record import SEARCH_FILE, SearchRecord
    from lobule.sweep.run import sweep as run_sweep

    trackers, divided = known_trackers(track), known_split(split)
    writable_folder("--out", out)
    names = backbone or []
    read = {"group": group, "folds": folds, "validation": validation, **reading(root, labels, columns, case_pattern)}
    chosen = {"backbone": names[0] if names else None, "weights": weights}
    settings = configured(config, overrides, seed=seed, data=read, features=chosen)
    how = {"trials": trials, "sampler": sampler, "objective": objective, "finalists": finalists}
    plan, command = _plan(settings, how, space, names), shlex.join(["lobule", *sys.argv[1:]])
    with shown_progress() as progress:
        run = run_sweep(data, out, plan=plan, split_file=divided, command=command, progress=progress)
    tell_trackers(out, trackers)
    _show(run, SearchRecord.read(out / SEARCH_FILE), as_json=as_json)
    end_of_run(run)


def _show(run: Run, record: SearchRecord, *, as_json: bool) -> None:
    if as_json:
        told = {"run": str(run.folder), "was_done": run.was_done, "n_failures": run.n_failures}
        show_json({**told, "search": record.summary(), "metrics": run.metrics.document})
        return
    show_scores(run.metrics)
    _show_search(record)
    say(f"{'Was done already: ' if run.was_done else ''}{run.folder / 'report.html'}")
    disclaim()


def _plan(config: Config, how: dict[str, object], space: Path | None, backbones: list[str]) -> SweepPlan:
    from pydantic import ValidationError

    from lobule.sweep.settings import SweepPlan, SweepSettings
    from lobule.sweep.space import default_space, read_space

    try:
        settings = SweepSettings.model_validate(how)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(f"--{problem['loc'][0]} {problem['input']}: {problem['msg'].lower()}.") from None
    searched = read_space(space, config, backbones) if space else default_space(config, backbones)
    return SweepPlan(config, settings, searched)


def _show_search(record: SearchRecord) -> None:
    """Show what each outer fit chose, and what it is worth where nothing was chosen."""
    rows = [
        [part.name, f"#{part.number}", *(_shown(value) for value in (part.inner, part.given, part.held_out))]
        for part in record.parts
    ]
    rows.append(["folds together", "", _shown(record.inner), _shown(record.given), _shown(record.outer)])
    columns = ["outer fit", "chosen", "inner folds", "inner, as given", "held out"]
    each = " for each outer fit" if record.sampler == "tpe" else ""
    show_table(f"Search: {record.n_configurations} configurations{each}, {record.objective}", columns, rows)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
