"""What holds for every command: exit codes, where things are said, and that no traceback reaches a person."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lobule as package
from lobule import doctor
from lobule.cli import app
from lobule.cli.data import data_app
from lobule.taxonomy import DISCLAIMER
from tests.cli.conftest import Lobule

_COMMANDS = [
    ["doctor"],
    ["demo"],
    ["data"],
    ["data", "get"],
    ["data", "scan"],
    ["data", "audit"],
    ["data", "split"],
    ["data", "phantom"],
    ["train"],
    ["sweep"],
    ["evaluate"],
    ["compare"],
    ["predict"],
    ["serve"],
    ["export"],
    ["show"],
    ["bench"],
]


@pytest.mark.parametrize("command", _COMMANDS, ids=" ".join)
def test_every_command_explains_itself(lobule: Lobule, command: list[str]) -> None:
    shown = lobule(*command, "--help")
    assert shown.code == 0
    assert f"Usage: lobule {' '.join(command)}" in shown.out
    assert shown.err == ""


def test_the_commands_are_these(lobule: Lobule) -> None:
    names = {name for command in _COMMANDS for name in command}
    registered = [command.callback.__name__ for command in app.app.registered_commands if command.callback]
    nested = [command.name for command in data_app.registered_commands]
    assert names == {*registered, *nested, "data"}
    assert DISCLAIMER.split(".")[0] in " ".join(lobule("-h").out.split())


def test_the_version(lobule: Lobule) -> None:
    assert lobule("--version").out == f"lobule {package.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "images", "--out", "run", "--unknown"],
        ["train", "images"],
        ["paint"],
        ["data", "scan"],
        ["predict", "--out", "p.csv"],
        ["train", "images", "--out", "run", "--seed", "-1"],
        ["train", "images", "--out", "run", "--folds", "many"],
        ["data", "phantom", "--to", "x", "--cases", "3"],
        ["export", "run", "--to", "onyx", "--out", "x"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_1_and_a_hint(lobule: Lobule, arguments: list[str]) -> None:
    shown = lobule(*arguments)
    assert shown.code == 1
    assert "Usage: lobule" in shown.err or "Usage: lobule" in shown.out
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "scan", "nowhere", "--out", "m.csv"],
        ["data", "audit", "nowhere"],
        ["data", "split", "nowhere", "--out", "s.json"],
        ["train", "nowhere", "--out", "run"],
        ["evaluate", "nowhere", "--out", "scores"],
        ["predict", "nowhere", "--model", "nowhere", "--out", "p.csv"],
        ["export", "nowhere", "--to", "keras", "--out", "k"],
    ],
    ids=" ".join,
)
def test_a_missing_folder_is_exit_1_and_named(
    lobule: Lobule, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = lobule(*arguments)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("Error: ")
    assert "nowhere" in shown.err
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_is_named(lobule: Lobule, tmp_path: Path) -> None:
    shown = lobule("train", tmp_path, "--out", tmp_path / "run", "--set", "head.hiden=3")
    assert shown.code == 1
    assert "setting head.hiden: unknown; known here: " in shown.err


@pytest.mark.parametrize("where", ["before", "after"])
def test_debug_shows_the_traceback(lobule: Lobule, tmp_path: Path, where: str) -> None:
    command = ["data", "audit", tmp_path / "nowhere"]
    shown = lobule("--debug", *command) if where == "before" else lobule(*command, "--debug")
    assert shown.code == 1
    assert "Traceback (most recent call last)" in shown.err
    assert "Error: " in shown.err


def test_an_interruption_is_exit_130_and_says_that_one_can_go_on(
    lobule: Lobule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", interrupt)
    shown = lobule("doctor")
    assert (shown.code, shown.out) == (130, "")
    assert shown.err == "Stopped. What was finished is kept; the same command goes on from there.\n"


def test_a_surprise_is_one_sentence(lobule: Lobule, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise() -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(doctor, "examine", surprise)
    shown = lobule("doctor")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == (
        "Error: Unexpected ZeroDivisionError: by zero. Run the command again with --debug for the traceback.\n"
    )
    assert "ZeroDivisionError: by zero" in lobule("doctor", "--debug").err.split("Error: Unexpected")[0]


def test_python_m_lobule_is_the_command_lobule() -> None:
    script = Path(sys.executable).with_name("lobule")
    ways = [[sys.executable, "-m", "lobule"], *([[str(script)]] if script.is_file() else [])]
    for way in ways:
        for arguments, code in ((["--version"], 0), (["data", "scan", "nowhere", "--out", "x.csv"], 1)):
            done = subprocess.run([*way, *arguments], capture_output=True, text=True, check=False)
            assert done.returncode == code
            assert (package.__version__ in done.stdout) == (code == 0)
            assert "Traceback" not in done.stderr
