from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.conftest import files_of, png
from tests.server.fuzz import attack
from tests.server.processes import limited_serve

_MIB = 2**20


@pytest.mark.slow
def test_no_client_brings_the_server_down(model: Path, tmp_path: Path) -> None:
    settings = ("max_request_bytes=3000000", "max_file_bytes=2000000", "upload_seconds=3", "head_seconds=3")
    with limited_serve(tmp_path, model, *settings) as running, running.client() as opened:
        expected = opened.post("/v1/predictions", files=files_of(png(1))).json()
        attack(running.port, count=150, seed=1)
        before = running.resident_bytes()
        outcomes = attack(running.port, count=300, seed=2)
        assert outcomes.wrong == []
        assert set(outcomes.statuses) <= {0, 200, 400, 404, 405, 408, 413, 415, 421, 422, 431, 503}
        assert {200, 400, 415, 422, 431} <= set(outcomes.statuses)
        assert running.resident_bytes() - before < 100 * _MIB
        assert opened.post("/v1/predictions", files=files_of(png(1))).json() == expected
        assert "Traceback" not in running.log.read_text()
        assert '"level": "error"' not in running.log.read_text()
