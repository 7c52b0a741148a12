from __future__ import annotations

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.server.conftest import files_of, png, until
from tests.server.processes import Running, limited_serve, lobule_serve


def accepts(running: Running) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", running.port), timeout=10):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_finished(model: Path, tmp_path: Path, number: int) -> None:
    with (
        limited_serve(tmp_path, model, "slow=0.8") as running,
        running.client() as opened,
        ThreadPoolExecutor() as pool,
    ):
        accepted = pool.submit(opened.post, "/v1/predictions", files=files_of(*[png(seed) for seed in range(28)]))
        with running.client() as other:
            until(lambda: "lobule_waiting_images 0.0" not in other.get("/metrics").text)
        running.process.send_signal(number)
        until(lambda: not accepts(running))
        assert not accepted.done()
        response = accepted.result()
        assert response.status_code == 200
        assert [item["status"] for item in response.json()["predictions"]] == ["ok"] * 28
        assert running.process.wait(60) == 0


def test_an_idle_server_ends_at_once_with_0(model: Path, tmp_path: Path) -> None:
    with lobule_serve(tmp_path, model) as running, running.client() as opened:
        assert opened.get("/healthz").status_code == 200
        assert running.stop() == 0
        assert "Traceback" not in running.log.read_text()


def test_a_client_that_leaves_frees_its_place(model: Path, tmp_path: Path) -> None:
    with limited_serve(tmp_path, model, "slow=0.2", "queue=32", "max_files=32") as running, running.client() as opened:
        files = files_of(*[png(seed) for seed in range(32)])
        with pytest.raises(httpx.ReadTimeout):
            opened.post("/v1/predictions", files=files, timeout=0.5)
        until(lambda: opened.post("/v1/predictions", files=files_of(png())).status_code == 200)
        assert '"status": 499' in running.log.read_text()
