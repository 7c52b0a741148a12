"""The command `lobule`: what it can do, and how its errors reach a person."""

from __future__ import annotations

import errno
import os
import sys
import traceback
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
from lobule.cli.predict import predict
from lobule.cli.serve import serve
from lobule.cli.show import show
from lobule.cli.sweep import sweep
from lobule.cli.train import train
from lobule.errors import LobuleError
from lobule.taxonomy import DISCLAIMER

__all__ = ["app", "main"]

_INTERRUPTED = 130
_NOBODY_READS = 141  # What a shell reports of a program whose reader went away.
# Where this class is imported from depends on the version of typer; what BadParameter descends from does not.
_UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

_ADVICE = {
    errno.ENOSPC: "The disk is full: free some space (`lobule doctor` shows how much), then repeat the command.",
    errno.EDQUOT: "Your quota is used up: free some space, then repeat the command.",
    errno.EROFS: "That place is read-only: name another with --out, or set LOBULE_CACHE if it is the cache.",
    errno.EACCES: "You may not use that place: name another with --out, or set LOBULE_CACHE if it is the cache.",
    errno.EPERM: "You may not use that place: name another with --out, or set LOBULE_CACHE if it is the cache.",
    errno.ENOENT: "Name a file or folder that is there, and a place that can be written.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENOTDIR: "Name a folder, not a file.",
    errno.EEXIST: "Something else is there already: name another place.",
    errno.EMFILE: "Too many files are open: raise the limit (ulimit -n 4096), then repeat the command.",
}

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
        words = [word for word in given if word != "--debug"]
        code = app(words, prog_name="lobule", standalone_mode=False) or 0
        if code == _INTERRUPTED:  # some versions of typer turn the interruption into this code
            raise KeyboardInterrupt
        sys.stdout.flush()
    except LobuleError as error:
        code = _report(str(error), error.exit_code, debug=debug)
    except _UsageError as error:
        error.show()
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = _report(_stopped(given), _INTERRUPTED, debug=debug)
    except (BrokenPipeError, SystemExit) as ended:
        if isinstance(ended, SystemExit) and not isinstance(ended.__context__, BrokenPipeError):
            raise
        code = _NOBODY_READS  # Click has its own way of ending a process that nobody reads.
        _close_stdout()
    except OSError as error:
        code = _report(_explained(error), 1, debug=debug)
    except Exception as error:  # noqa: BLE001 -- the boundary of the process: whatever it is, a person gets a sentence
        sentence = f"Unexpected {type(error).__name__}: {error}. Run the command again with --debug for the traceback."
        code = _report(sentence, 1, debug=debug)
    sys.exit(code)


def _stopped(given: list[str]) -> str:
    again = "the same command with --resume" if "predict" in given and "--resume" not in given else "the same command"
    return f"Stopped. What was finished is kept; {again} goes on from there."


def _explained(error: OSError) -> str:
    """Say which file, why, and what can be done: nobody but the user can mend what the system refuses."""
    place = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    reason = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0, "Run the command again with --debug for the traceback.")
    return f"{place}: {reason}. {advice}" if place else f"{reason}. {advice}"


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
    warn(f"Error: {sentence}" if code != _INTERRUPTED else sentence)
    return code
