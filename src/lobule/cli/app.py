"""The command `lobule`: what it can do, and how its errors reach a person."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

import lobule
from lobule.cli.bench import bench
from lobule.cli.compare import compare
from lobule.cli.console import warn
from lobule.cli.data import data_app
from lobule.cli.demo import demo
from lobule.cli.doctor import doctor
from lobule.cli.evaluate import evaluate
from lobule.cli.export import export
from lobule.cli.interruption import INTERRUPTED, watched
from lobule.cli.predict import predict
from lobule.cli.serve import serve
from lobule.cli.show import show
from lobule.cli.sweep import sweep
from lobule.cli.train import train
from lobule.errors import LobuleError, StorageError
from lobule.storage import explained
from lobule.taxonomy import DISCLAIMER

__all__ = ["app", "main"]

_NOBODY_READS = 141  # What a shell reports of a program whose reader went away.
# Where this class is imported from depends on the version of typer; what BadParameter descends from does not.
_UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    name="lobule",
    help=f"Breast-cancer detection from H&E histopathology images, leak-proof. {DISCLAIMER}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(doctor)
app.command()(demo)
app.add_typer(data_app, name="data")
app.command()(train)
app.command()(sweep)
app.command()(evaluate)
app.command()(compare)
app.command()(predict)
app.command()(serve)
app.command()(export)
app.command()(show)
app.command()(bench)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lobule {lobule.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Take the options that stand before a command; `--debug` is read by `main`, wherever it stands."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code; no traceback reaches a person without `--debug`."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    try:
        with watched() as is_interrupted:
            code = _run([word for word in given if word != "--debug"], is_interrupted, debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        code = _report(_stopped(given), INTERRUPTED, debug=debug)
    sys.exit(code)


def _run(words: list[str], is_interrupted: Callable[[], bool], *, debug: bool) -> int:
    try:
        code = app(words, prog_name="lobule", standalone_mode=False) or 0
        if code == INTERRUPTED:  # some versions of typer turn the interruption into this code
            raise KeyboardInterrupt
        sys.stdout.flush()
    except _UsageError as error:
        error.show()
        code = 1
    except (BrokenPipeError, SystemExit) as ended:
        if isinstance(ended, SystemExit) and not isinstance(ended.__context__, BrokenPipeError):
            raise
        code = _NOBODY_READS  # Click has its own way of ending a process that nobody reads.
        _close_stdout()
    except Exception as error:
        if is_interrupted():  # It can come out of an import or a callback as another error.
            raise KeyboardInterrupt from error
        code = _report(_sentence(error, words), getattr(error, "exit_code", 1), debug=debug)
    return int(code)


def _sentence(error: Exception, words: list[str]) -> str:
    if isinstance(error, StorageError) and words[:1] == ["predict"] and "--resume" not in words:
        return f"{error} What was finished is kept: add --resume."
    if isinstance(error, LobuleError):
        return str(error)
    if isinstance(error, OSError):
        return explained(error)
    return f"Unexpected {type(error).__name__}: {error}. Run the command again with --debug for the traceback."


def _stopped(given: list[str]) -> str:
    again = "the same command with --resume" if "predict" in given and "--resume" not in given else "the same command"
    return f"Stopped. What was finished is kept; {again} goes on from there."


def _close_stdout() -> None:
    """Let what is still to be written go nowhere, so that nothing complains when the process ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):  # No such thing as a file behind it.
        return


def _report(sentence: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    warn(f"Error: {sentence}" if code != INTERRUPTED else sentence)
    return code
