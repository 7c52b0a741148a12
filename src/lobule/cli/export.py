"""`lobule export`: a trained model in another format."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lobule.cli.console import disclaim, say, show_json
from lobule.cli.options import AsJson
from lobule.cli.targets import writable_folder

__all__ = ["export"]


class Format(StrEnum):
    """Formats that a model can be written in."""

    KERAS = "keras"


def export(
    bundle: Annotated[Path, typer.Argument(help="Run folder (or bundle) of a trained model.")],
    to: Annotated[Format, typer.Option("--to", help="Format.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Backbone weights, where the run's own are not where they were.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a model for other tools: `keras` gives one flat .keras file a task, verified against the bundle."""
    from lobule.export.keras_export import export_keras

    writable_folder("--out", out)
    written = {Format.KERAS: export_keras}[to](bundle, out, weights=weights)
    if as_json:
        show_json({"files": [str(path) for path in written]})
    else:
        for path in written:
            say(str(path))
        disclaim()
