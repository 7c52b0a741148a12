"""What a person meets when the system does not play along: closed pipes, Ctrl-C, full disks, places to write."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lobule import doctor
from tests.cli.conftest import Lobule
from tests.runs import paint

_LOBULE = (sys.executable, "-m", "lobule")


def test_a_reader_who_goes_away_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        done = subprocess.run([*_LOBULE, "doctor"], stdout=nobody, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("command", ["phantom", "predict"])
def test_ctrl_c_in_the_middle_of_the_work_is_one_line(command: str, bundle: Path, tmp_path: Path) -> None:
    words = ["data", "phantom", "--to", str(tmp_path / "drawn"), "--cases", "400"]
    hint, started = "the same command goes on", "phantom"
    if command == "predict":
        for number in range(400):
            paint(tmp_path / "images" / f"{number:03d}.png", number)
        words = ["predict", str(tmp_path / "images"), "--model", str(bundle), "--out", str(tmp_path / "p.csv")]
        hint, started = "the same command with --resume goes on", "predict"
    process = subprocess.Popen([*_LOBULE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert started in line
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1] == f"Stopped. What was finished is kept; {hint} from there."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x.csv"), ("/data/x.csv", "The disk is full")),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), ("/x: Permission denied.", "LOBULE_CACHE")),
        (OSError(errno.EROFS, "Read-only file system", "/x"), ("read-only", "--out")),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x", None, "/y"), ("/x -> /y: No such file",)),
        (OSError("nothing known"), ("nothing known", "--debug")),
    ],
    ids=["full", "denied", "read-only", "missing", "unknown"],
)
def test_what_the_system_refuses_is_a_sentence_with_advice(
    lobule: Lobule, monkeypatch: pytest.MonkeyPatch, error: OSError, words: tuple[str, ...]
) -> None:
    def refuse() -> None:
        raise error

    monkeypatch.setattr(doctor, "examine", refuse)
    shown = lobule("doctor")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.count("\n") == 1
    for word in words:
        assert word in shown.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*_LOBULE, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["data", "scan", "IMAGES", "--out", "FOLDER"],
        ["data", "scan", "IMAGES", "--out", "FILE/m.csv"],
        ["data", "audit", "IMAGES", "--out", "FOLDER"],
        ["data", "split", "IMAGES", "--out", "FOLDER"],
        ["data", "phantom", "--to", "FILE"],
        ["train", "IMAGES", "--out", "FILE"],
        ["train", "IMAGES", "--out", "RUN", "--split", "FOLDER/none.json"],
        ["evaluate", "IMAGES", "--out", "FILE"],
        ["compare", "IMAGES", "FILE", "--out", "FOLDER"],
        ["predict", "IMAGES", "--out", "FILE/p.csv"],
        ["predict", "IMAGES", "--out", "FOLDER"],
        ["predict", "IMAGES", "--out", "RUN", "--heatmaps", "FILE"],
        ["export", "IMAGES", "--to", "keras", "--out", "FILE"],
        ["demo", "--out", "FILE/x"],
    ],
    ids=" ".join,
)
def test_where_nothing_can_be_written_is_said_before_the_work(lobule: Lobule, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "FILE").write_text("")
    paint(tmp_path / "IMAGES" / "benign" / "1.png", 1)
    before = sorted(tmp_path.rglob("*"))
    given = [str(tmp_path / word) if word.isupper() or word.startswith(("FILE", "FOLDER")) else word for word in words]
    shown = lobule(*given)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("Error: --"), shown.err
    assert ": " in shown.err
    assert "Unexpected" not in shown.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="a place that this user may not write to")
def test_a_folder_of_somebody_else(lobule: Lobule, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o555)
    shown = lobule("data", "phantom", "--to", tmp_path / "theirs" / "x")
    assert shown.code == 1
    assert "you may not write to" in shown.err
