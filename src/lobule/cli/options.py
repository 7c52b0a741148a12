"""Options that several commands share, described once."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lobule.cli.console import warn
from lobule.errors import ConfigError

if TYPE_CHECKING:
    from lobule.config import Config
    from lobule.pipeline import Run
    from lobule.scale.cluster import Cluster

__all__ = [
    "AsJson",
    "CasePattern",
    "ChecklistNames",
    "Columns",
    "ConfigFile",
    "Data",
    "Folds",
    "Group",
    "Labels",
    "Model",
    "OptionalModel",
    "Overrides",
    "Ray",
    "Root",
    "Seed",
    "SplitFile",
    "Track",
    "Validation",
    "Weights",
    "configured",
    "connected",
    "end_of_run",
    "known_split",
    "known_trackers",
    "model_or_starter",
    "reading",
    "tell_trackers",
]

Data = Annotated[Path, typer.Argument(help="Folder of images, a manifest or your own CSV, or a .txt list of names.")]
Model = Annotated[Path, typer.Option("--model", help="Run folder or bundle.")]
OptionalModel = Annotated[
    Path | None, typer.Option("--model", help="Run folder or bundle; without one, the starter model of the package.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
Seed = Annotated[int | None, typer.Option("--seed", help="One seed for everything that is drawn.", min=0)]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file of settings.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="One setting, such as head.hidden=128; repeatable.")]
Ray = Annotated[
    str | None,
    typer.Option("--ray", help="Share the work out over a Ray cluster: auto, or HOST:PORT of its head (extra `ray`)."),
]
Group = Annotated[str | None, typer.Option("--group", help="Unit that no split divides: case, patient or image.")]
Folds = Annotated[int | None, typer.Option("--folds", help="Number of folds.")]
Validation = Annotated[float | None, typer.Option("--validation", help="Share of images in the holdout's validation.")]
SplitFile = Annotated[Path | None, typer.Option("--split", help="Use this split (JSON) instead of drawing one.")]
Weights = Annotated[str | None, typer.Option("--weights", help="imagenet, none or the path of a file.")]
ChecklistNames = Annotated[
    str | None,
    typer.Option("--checklist", help="Reporting checklists to fill: tripod-ai, claim, or both with a comma."),
]
Track = Annotated[
    list[str] | None,
    typer.Option("--track", help="Also tell tensorboard or mlflow of the finished run; repeatable."),
]
CasePattern = Annotated[
    str | None,
    typer.Option(
        "--case-pattern", help="Regular expression that finds the case in a path (first group or whole match)."
    ),
]
Root = Annotated[Path | None, typer.Option("--root", help="Folder that the paths of a CSV are relative to.")]
Labels = Annotated[
    list[str] | None, typer.Option("--labels", help="Your class name = Lobule's, such as cancer=malignant; repeatable.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="Manifest column = your CSV's, such as case_id=Patient; repeatable."),
]


def configured(
    config: Path | None = None,
    overrides: list[str] | None = None,
    *,
    seed: int | None = None,
    **groups: Mapping[str, Any],
) -> Config:
    """Return the settings of a command: the file, then `--set`, then the command's own options.

    Args:
        config: YAML file.
        overrides: values of `--set`.
        seed: the seed.
        groups: by group of settings, values by name; None means not given.
    """
    from lobule.config import load_config

    given = {
        group: {name: value for name, value in values.items() if value is not None} for group, values in groups.items()
    }
    settings = {group: values for group, values in given.items() if values}
    return load_config(config, tuple(overrides or ()), settings if seed is None else {"seed": seed, **settings})


@contextmanager
def connected(ray: str | None) -> Iterator[Cluster | None]:
    """Yield the cluster that a command was given, connected for as long as it lasts; None: none was.

    What Ray says meanwhile, of workers that died, goes to stderr: Ray itself would mix it with the result on stdout.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: nothing answers there.
    """
    if ray is None:
        yield None
        return
    from lobule.scale.cluster import Cluster

    with redirect_stdout(sys.stderr), Cluster(ray) as cluster:
        warn(f"Ray: {cluster.size} workers.")
        yield cluster


def model_or_starter(model: Path | None) -> Path:
    """Return the model that a command was given, or else the starter model, and say so on stderr.

    Raises:
        ConfigError: none was named, and this installation has no starter model.
    """
    if model is not None:
        return model
    from lobule.starter import STARTER_NOTE, starter_bundle

    found = starter_bundle()
    warn(STARTER_NOTE)
    return found


def _pairs(option: str, given: list[str] | None) -> dict[str, str] | None:
    """Read `name=value` options; None where there are none.

    Raises:
        ConfigError: one is not of that form.
    """
    if not given:
        return None
    read = dict(text.partition("=")[::2] for text in given)
    if wrong := [text for text in given if not all(text.partition("=")[::2])]:
        raise ConfigError(f"{option} {wrong[0]!r}: expected name=value, such as {option} cancer=malignant.")
    return read


def reading(
    root: Path | None, labels: list[str] | None, columns: list[str] | None, case_pattern: str | None
) -> dict[str, Any]:
    """Return the settings that say how a data set is read, as the group `data` of `configured`."""
    return {
        "root": str(root.resolve()) if root else None,
        "labels": _pairs("--labels", labels),
        "columns": _pairs("--column", columns),
        "case_pattern": case_pattern,
    }


def known_split(split: Path | None) -> Path | None:
    """Return the value of `--split`, if there is such a file.

    Raises:
        ConfigError: there is none.
    """
    if split and not split.is_file():
        raise ConfigError(f"--split {split}: no such file; make one with `lobule data split`, or leave it out.")
    return split


def end_of_run(run: Run) -> None:
    """End a command with code 2, and say so, where some files could not be used."""
    if run.n_failures:
        listed = run.folder / "failures.csv"
        warn(f"{run.n_failures} files could not be used; they are listed with the reasons in {listed}.")
        raise typer.Exit(2)


def tell_trackers(run: Path, names: Sequence[str]) -> None:
    """Tell trackers of a finished run; what goes wrong is said on stderr and loses nothing."""
    if names:
        from lobule.tracking.track import track_run

        for problem in track_run(run, names):
            warn(problem)


def known_trackers(names: list[str] | None) -> tuple[str, ...]:
    """Return the values of `--track`, if all of them can be used.

    Raises:
        LobuleError: one is unknown or not installed.
    """
    if not names:
        return ()
    from lobule.tracking.track import check_trackers

    return check_trackers(names)
