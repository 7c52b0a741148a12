"""`lobule demo`: the whole job, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lobule.cli.console import disclaim, say, show_json, shown_progress, warn
from lobule.cli.options import AsJson, CasePattern, Group, Seed
from lobule.cli.scores import show_scores
from lobule.cli.targets import writable_folder
from lobule.errors import ConfigError

__all__ = ["demo"]


def demo(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of images; without one, synthetic tissue is drawn.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for everything; by default lobule-demo, or lobule-demo-FOLDER."),
    ] = None,
    case_pattern: CasePattern = None,
    group: Group = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Do the whole job on built-in synthetic tissue, offline, or on your folder: train, report, predict, heat maps."""
    from lobule.demo import run_demo

    given = {"case_pattern": case_pattern, "group": group}
    reading = {name: value for name, value in given.items() if value is not None}
    if data is None and reading:
        raise ConfigError("--case-pattern, --group: say how a folder of images is read; name one, or leave them out.")
    out = out or Path(f"lobule-demo-{data.resolve().name}" if data else "lobule-demo")
    writable_folder("--out", out)
    with shown_progress() as progress:
        done = run_demo(out, data=data, reading=reading, seed=seed or 0, progress=progress)
    files = {
        "images": done.data,
        "report": done.run.folder / "report.html",
        "model": done.run.folder / "model",
        "predictions": done.predictions,
        "heat maps": done.heatmaps,
    }
    if as_json:
        show_json({**{name.replace(" ", "_"): str(path) for name, path in files.items()}, "weights": done.weights})
        return
    show_scores(done.run.metrics)
    for name, path in files.items():
        say(f"{name:<12} {path}")
    if done.weights == "none":
        warn("The backbone had seeded random filters: this shows the machinery and makes no claim about medicine.")
    disclaim()
