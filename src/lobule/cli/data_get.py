"""`lobule data get`: a data set from somewhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lobule.cli.console import disclaim, say, show_json, shown_progress
from lobule.cli.options import AsJson

__all__ = ["get_command"]


def get_command(
    source: Annotated[
        str,
        typer.Argument(
            help="breakhis, an http(s) or file address of an archive, a Google Drive link, the path of an archive "
            "(zip, 7z, tar), kaggle:OWNER/DATASET, hf:OWNER/DATASET or a place of object storage (s3://, gs://, az://)."
        ),
    ],
    to: Annotated[Path, typer.Option("--to", help="Folder for the data: empty, or not there yet.")],
    expect: Annotated[
        int | None, typer.Option("--expect", help="Number of files it must hold; another number is an error.", min=1)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a data set and unpack it safely; the same command goes on where it stopped, or says that it is done."""
    from lobule.data.get import get_data

    with shown_progress() as progress:
        got = get_data(source, to, expect=expect, progress=progress)
    if as_json:
        show_json({**vars(got), "folder": str(got.folder)})
        return
    say(f"{'Was here already: ' if got.was_done else ''}{got.folder}")
    say(f"{got.n_images} images among {got.n_files} files, from {got.source}")
    for note in got.notes:
        say(f"\n{note}")
    say(f"\nNext: lobule data audit {got.folder}, or lobule train {got.folder} --out RUN")
    disclaim()
