"""The server as a user starts it: a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import TemporaryFile

_PATIENCE = 60.0


class ServerProcess:
    """`lobule serve` at a port of its own; can be killed and started again at the same place.

    Args:
        model: folder of a bundle.
        options: further options of the command.
    """

    def __init__(self, model: Path, *options: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._command = [sys.executable, "-m", "lobule", "serve", "--model", str(model), "--port", str(self.port)]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None
        # A file, not a pipe: nobody reads while the tests run, and a full pipe would stop the server.
        self._log = TemporaryFile()  # noqa: SIM115 - `close` closes it

    def start(self) -> ServerProcess:
        """Start, and return when it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=self._log)
        end = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                self._log.seek(0)
                raise AssertionError(f"the server did not start: {self._log.read().decode()}")
            time.sleep(0.1)
        return self

    def freeze(self) -> None:
        """Let it hang: connections are accepted, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def close(self) -> None:
        """End it, and its log."""
        self.kill()
        self._log.close()

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
