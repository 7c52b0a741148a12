"""Completion by the shell, as the shell asks for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def _completed(line: str) -> list[str]:
    asked = {"_LOBULE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-m", "lobule"], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [("lobule ev", ["evaluate"]), ("lobule data ph", ["phantom"]), ("lobule train images --val", ["--validation"])],
)
def test_commands_and_options_are_completed(line: str, offered: list[str]) -> None:
    assert _completed(line) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_this_program(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lobule"],
        env={**os.environ, "_LOBULE_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_LOBULE_COMPLETE" in done.stdout
    assert "lobule" in done.stdout
