"""A reader at a terminal: a folder with what the page needs, and its blocks run in order.

`lobule` runs in this process with the tiny backbone known; `train` and `sweep` get quick settings in front of their
own, which win.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lobule.cli.app import main
from tests.manual.blocks import ROOT, Page, Step
from tests.manual.output import without_progress
from tests.runs import paint
from tests.tiny_backbone import SETTINGS

_QUICK = {
    "features.backbone": SETTINGS["backbone"],
    "features.weights": SETTINGS["weights"],
    "features.engine": SETTINGS["engine"],
    "features.views": "identity",
    "data.folds": 2,
    "head.hidden": 8,
    "head.max_epochs": 3,
    "report.bootstrap": 20,
    "report.gallery": 2,
}
_ADDRESS = "http://127.0.0.1:8000/"
_COMMANDS_OF_THE_SHELL = {"cat", "cp", "curl", "echo", "head", "ls", "mkdir", "python", "wc"}


@dataclass
class Session:
    """What has happened on a page so far.

    Attributes:
        folder: where the commands run.
        as_written: whether `train` runs without the quick settings.
        code: exit code of the last command.
        names: what the Python blocks of the page have defined.
        service: what `lobule serve ... &` has started.
        address: where it listens, in place of the address that the page shows.
    """

    folder: Path
    as_written: bool
    code: int = 0
    names: dict[str, Any] = field(default_factory=dict)
    service: subprocess.Popen[str] | None = None
    address: str = ""

    def command(self, line: str) -> str:
        """Run a command and return what it printed, without progress."""
        words = shlex.split(line)
        if line == "echo $?":
            printed, self.code = f"{self.code}\n", 0
        elif line == "kill %1":
            printed, self.code = self._stop(), 0
        elif words[:2] == ["lobule", "serve"] and words[-1] == "&":
            printed = self._serve(words[1:-1])
        elif words[0] == "lobule" and not set(words) & {"|", ">", "&&", "&"}:
            printed = self._lobule(words[1:])
        else:
            assert words[0] in _COMMANDS_OF_THE_SHELL, f"{words[0]}: a page may use {sorted(_COMMANDS_OF_THE_SHELL)}"
            line = line.replace(_ADDRESS, self.address)
            done = subprocess.run(line, shell=True, cwd=self.folder, capture_output=True, text=True, check=False)
            printed, self.code = done.stdout + done.stderr, done.returncode
        return without_progress(printed)

    def python(self, code: str) -> None:
        """Run a Python block."""
        with self._in_folder():
            exec(compile(code, "<manual>", "exec"), self.names)

    def _lobule(self, words: list[str]) -> str:
        if words[0] in ("train", "sweep") and not self.as_written:
            words = [
                words[0],
                *(part for name, value in _QUICK.items() for part in ("--set", f"{name}={value}")),
                *words[1:],
            ]
        with self._in_folder() as printed:
            before, sys.argv = sys.argv, ["lobule", *words]
            try:
                main(words)
            except SystemExit as ended:
                self.code = int(ended.code or 0)
            finally:
                sys.argv = before
        return printed.getvalue()

    def _serve(self, words: list[str]) -> str:
        """Start the service at a free port, which stands for the port of the page; return what it says first."""
        command = [sys.executable, "-m", "lobule", *words, "--port", "0"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        self.service = subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.service.stdout is not None
        self.address = self.service.stdout.readline().strip()
        assert self.address.startswith("http://127.0.0.1:"), f"the service ended with {self.service.wait()}"
        return f"{_ADDRESS}\n{self.service.stdout.readline()}"

    def _stop(self) -> str:
        assert self.service is not None, "`kill %1`: nothing runs"
        self.service.terminate()
        self.service.communicate()
        self.service = None
        return ""

    def close(self) -> None:
        """End what a page has left running."""
        if self.service is not None:
            self._stop()

    @contextlib.contextmanager
    def _in_folder(self) -> Iterator[io.StringIO]:
        printed = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield printed


def follow(page: Page, session: Session) -> Iterator[tuple[Step, str]]:
    """Run the blocks of a page in order; yield each command with what it printed.

    A command that fails is an error, except where the page shows its exit code next (`$ echo $?`).
    """
    for block in page.blocks:
        if not block.is_run:
            continue
        if block.language == "python":
            session.python(block.body)
        elif block.title:
            (session.folder / block.title).write_text(block.body, encoding="utf-8")
        for step, following in zip(block.steps, (*block.steps[1:], None), strict=False):
            printed = session.command(step.command)
            is_shown = following is not None and following.command == "echo $?"
            assert session.code == 0 or is_shown, f"{page.name}: {step.command}: exit code {session.code}\n{printed}"
            yield step, printed


Provider = Callable[[Path], None]


def providers(tissue: Path, run: Path) -> dict[str, Provider]:
    """Return what makes each thing that a page may need, by its name.

    Args:
        tissue: synthetic tissue.
        run: a finished run on it.
    """
    return {
        "tissue": lambda folder: (folder / "tissue").symlink_to(tissue),
        "RUN": lambda folder: _copy(run, folder / "RUN"),
        "my-images": _write_my_images,
        "new-images": _write_new_images,
        "archive": _pack_my_images,
        "published-folds": _link_published_folds,
    }


def _pack_my_images(folder: Path) -> None:
    _write_my_images(folder)
    shutil.make_archive(str(folder / "my-images"), "zip", folder, "my-images")
    shutil.rmtree(folder / "my-images")


def _link_published_folds(folder: Path) -> None:
    """Put the published names and folds of BreakHis beside the reader; skip where they are not there."""
    shared = Path(os.environ.get("LOBULE_SHARED", "../shared")).resolve() / "breakhis"
    if not shared.is_dir():
        pytest.skip(f"the published folds are not at {shared} (set LOBULE_SHARED)")
    (folder / "all_filenames.txt").symlink_to(shared / "all_filenames.txt")
    (folder / "dsfold1.txt").symlink_to(shared / "folds" / "dsfold1.txt")


def _copy(run: Path, to: Path) -> None:
    shutil.copytree(run, to)


def _write_my_images(folder: Path) -> None:
    """Write a hospital's own folder: class folders with names of their own, the patient in the file name."""
    kinds = (("normal", (210, 150, 190)), ("cancer", (150, 90, 160)))
    for offset, (kind, colour) in enumerate(kinds):
        for number in range(16):
            patient = 100 * offset + number // 2
            paint(
                folder / "my-images" / kind / f"P{patient:03d}_{number:02d}.png", 1000 * offset + number, colour=colour
            )


def _write_new_images(folder: Path) -> None:
    for number in range(3):
        paint(folder / "new-images" / f"slide-{number}.png", number)
