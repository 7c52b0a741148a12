"""`lobule show`: the report of a run, or all of its figures, in a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lobule.cli.console import disclaim, say, show_json
from lobule.cli.options import AsJson
from lobule.errors import RunError

__all__ = ["show"]


def show(
    run: Annotated[Path, typer.Argument(help="Run folder, or a folder that `lobule evaluate` wrote.")],
    figures: Annotated[bool, typer.Option("--figures", help="All figures on one page, with their numbers.")] = False,
    only_print: Annotated[bool, typer.Option("--print", help="Only say where it is; open nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open the report of a run in the browser; where there is none, say where the report is."""
    page = _page(run, figures=figures)
    is_opened = not only_print and not as_json and _opened(page)
    if as_json:
        show_json({"page": str(page)})
        return
    say(str(page))
    if not only_print and not is_opened:
        say("No browser could be opened here: open the file yourself.")
    disclaim()


def _page(run: Path, *, figures: bool) -> Path:
    """Return what is to be opened; the page of figures is written when it is asked for.

    Raises:
        RunError: there is none.
    """
    report = run / "report.html"
    if not report.is_file():
        found = "a folder without report.html" if run.is_dir() else "a file" if run.exists() else "nothing there"
        raise RunError(
            f"RUN {run}: expected a folder that `lobule train` or `lobule evaluate` has finished; received {found}."
        )
    if not figures:
        return report.resolve()
    from lobule.report.figures_page import write_figures_page

    return write_figures_page(run).resolve()


def _opened(page: Path) -> bool:
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False  # Only a browser in the terminal could be found, which would take the terminal over.
    import webbrowser

    try:
        return webbrowser.open(page.as_uri())
    except webbrowser.Error:
        return False
