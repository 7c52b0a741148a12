"""Ctrl-C at random moments: exit code 130, one sentence or none, no traceback, and a resume that loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lobule.cli.interruption import INTERRUPTED, watched
from lobule.data.phantom import PhantomSummary
from lobule.pipeline import Run
from tests.faults.conftest import Material
from tests.faults.nursery import ROOT, Nursery
from tests.faults.test_kills import TIMES, prediction, strike_again_and_again, training
from tests.runs import QUICK

_STOPPED = "Stopped. What was finished is kept; the same command"


def _interrupt_again_and_again(
    nursery: Nursery, words: list[str], job: tuple[dict[str, Any], Callable[[], None], Callable[[], None]], times: int
) -> None:
    """Interrupt a command at random moments; what must hold after each, and at its end, stands with the job."""
    settings, after_each, when_done = job
    command = {"kind": "command", "words": words, "cache": settings["cache"]}
    held = {"after_each": after_each, "when_done": when_done}
    said = strike_again_and_again(nursery, command, times=times, **held, strike=signal.SIGINT, code=INTERRUPTED)
    for err in said:
        assert "Traceback" not in err, err
        assert "Error" not in err, err
        assert not err or err.strip().splitlines()[-1].startswith(_STOPPED) or ": " in err.strip().splitlines()[-1], err
    assert any(_STOPPED in err for err in said)


@pytest.mark.slow
@TIMES
def test_a_prediction_that_is_interrupted(quick: Nursery, material: Material, tmp_path: Path, times: int) -> None:
    job = prediction(material, tmp_path / "out")
    named = job[0]
    words = ["predict", named["images"], "--model", named["model"], "--out", named["target"]]
    _interrupt_again_and_again(quick, [*words, "--heatmaps", named["maps"], "--resume"], job, times)
    assert not (tmp_path / "out").exists(), "the last one was not compared"


@pytest.mark.slow
@pytest.mark.keras
@TIMES
def test_a_training_that_is_interrupted(
    trainer: Nursery, finished: Run, phantom: PhantomSummary, material: Material, tmp_path: Path, times: int
) -> None:
    job = training(finished, phantom, material, tmp_path)
    (tmp_path / "quick.yaml").write_text(QUICK.to_yaml())
    words = ["train", job[0]["data"], "--out", job[0]["target"], "--config", str(tmp_path / "quick.yaml")]
    _interrupt_again_and_again(trainer, words, job, times)
    assert not (tmp_path / "run").exists(), "the last one was not compared"


_RUN = """
import sys
from lobule.cli.interruption import end_at_once
end_at_once(130)
sys.stderr.write("started\\n"); sys.stderr.flush()
from lobule.__main__ import run
run()
"""


@pytest.mark.slow
@TIMES
def test_a_whole_process_from_its_first_import_to_its_last_breath(
    material: Material, tmp_path: Path, times: int
) -> None:
    words = ["predict", str(material.images), "--model", str(material.model), "--out", str(tmp_path / "p.csv")]
    environment = {**os.environ, "LOBULE_CACHE": str(material.cache(tmp_path / "cache"))}

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN, *words, "--resume"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        assert process.stderr is not None
        assert process.stderr.readline() == "started\n"
        return process

    def run() -> None:
        process = start()
        _, err = process.communicate()
        assert process.returncode == 0, err

    begun = time.monotonic()
    run()
    life, whole = time.monotonic() - begun, (tmp_path / "p.csv").read_bytes()
    (tmp_path / "p.csv").unlink()
    for moment in np.random.default_rng(times).uniform(0, life, times):
        process = start()
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        # The very end of Python gives signals back to the system; a shell shows 130 for that, too.
        assert process.returncode in (0, INTERRUPTED, -signal.SIGINT), err
        assert "Traceback" not in err
        assert "Error" not in err
    run()
    assert (tmp_path / "p.csv").read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["p.csv"]


def test_an_interruption_that_is_lost_in_a_finaliser_comes_back() -> None:
    class Closing:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with watched() as is_interrupted:
        assert not is_interrupted()
        closing = Closing()
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it comes a moment after the finaliser
            del closing
            time.sleep(1)
        assert is_interrupted()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_a_parent_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with watched() as is_interrupted:
            signal.raise_signal(signal.SIGINT)
            assert not is_interrupted()
    finally:
        signal.signal(signal.SIGINT, before)
