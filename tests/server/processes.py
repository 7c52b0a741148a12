"""Real servers: processes on 127.0.0.1 that speak HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, eq=False)
class Running:
    """A server at work.

    Attributes:
        url: without a slash at the end.
        process: the server.
        log: file with its stderr.
    """

    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def resident_bytes(self) -> int:
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def _python() -> tuple[list[str], dict[str, str]]:
    """Return how Python is started, so that what a server runs counts as covered, and its environment."""
    coverage = sys.modules.get("coverage")
    measured = coverage.Coverage.current() if coverage else None
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")])}
    if measured is None:
        return [sys.executable], environment
    environment["COVERAGE_FILE"] = str(Path(measured.config.data_file).absolute())
    options = ["run", "--parallel-mode", f"--rcfile={_ROOT / 'pyproject.toml'}"]
    return [sys.executable, "-m", "coverage", *options], environment


@contextmanager
def serving(folder: Path, module: str, arguments: Sequence[object]) -> Iterator[Running]:
    """Run a module that prints the address it serves at, until the end of the context."""
    folder.mkdir(parents=True, exist_ok=True)
    python, environment = _python()
    log = folder / "server.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*python, "-m", module, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("http://"), f"{line}\n{log.read_text()}"
        yield Running(line.rstrip("/"), process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


def lobule_serve(folder: Path, model: Path, *arguments: object) -> Any:
    """Run `lobule serve` at a free port, with as many requests as a test likes."""
    given = ["serve", "--model", model, "--port", 0, "--requests-per-minute", 1_000_000, *arguments]
    return serving(folder, "lobule", given)


def limited_serve(folder: Path, model: Path, *settings: str) -> Any:
    """Run a server with other limits, `name=value`, and `slow=SECONDS` an image."""
    return serving(folder, "tests.server.limited", [model, *settings])
