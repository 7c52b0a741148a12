from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from lobule.errors import ConfigError
from lobule.server.limits import Limits
from tests.server.conftest import assert_problem, encoded, files_of, png, until
from tests.server.processes import Running, limited_serve

_SMALL = (
    "max_file_bytes=20000",
    "max_request_bytes=60000",
    "max_files=4",
    "queue=6",
    "max_pixels=5000",
    "buffered_bytes=70000",
    "connections=12",
    "head_seconds=1",
    "send_seconds=1",
    "upload_seconds=2",
)


@pytest.fixture(scope="module")
def small(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with limited_serve(tmp_path_factory.mktemp("small"), model, *_SMALL) as running:
        yield running


def exchanged(running: Running, sent: bytes, *, pause: float = 0.0) -> bytes:
    """Send bytes, perhaps stopping in the middle, and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        half = len(sent) // 2 if pause else len(sent)
        connection.sendall(sent[:half])
        time.sleep(pause)
        try:
            connection.sendall(sent[half:])
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return b""


def is_served(running: Running, ask: Callable[[httpx.Client], httpx.Response]) -> bool:
    with running.client() as opened:
        return ask(opened).status_code == 200


def problem_in(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


def head(body: int, *, more: str = "") -> bytes:
    return (
        "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {body}\r\n{more}\r\n"
    ).encode()


def test_a_file_that_is_too_large_fails_alone(small: Running) -> None:
    with small.client() as opened:
        large = encoded(np.random.default_rng(0).integers(0, 256, (100, 90, 3), dtype=np.uint8))
        items = opened.post("/v1/predictions", files=files_of(png(), large)).json()["predictions"]
        assert [item["status"] for item in items] == ["ok", "error"]
        assert items[1]["error"]["code"] == "file_too_large"
        refused = opened.post("/v1/heatmaps", files=files_of(large, field="file"))
        assert_problem(refused, 413, "file_too_large")
        assert_problem(opened.post("/v1/predictions", files=files_of(large)), 422, "no_usable_image")


def test_an_image_of_too_many_pixels_is_not_decoded(small: Running) -> None:
    with small.client() as opened:
        flat = encoded(np.zeros((71, 71, 3), np.uint8))
        items = opened.post("/v1/predictions", files=files_of(flat, png())).json()["predictions"]
        assert "More than 5,000 pixels" in items[0]["error"]["detail"]
        assert items[1]["status"] == "ok"


def test_bodies_that_are_too_large_are_refused_with_or_without_a_length(small: Running) -> None:
    with small.client() as opened:
        many = files_of(*[b"x" * 19000] * 4)
        assert_problem(opened.post("/v1/predictions", files=many), 413, "request_too_large")

        def chunks() -> Iterator[bytes]:
            yield b"--b\r\nContent-Disposition: form-data; name=files\r\n\r\n"
            yield from [b"x" * 1000] * 70

        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        refused = opened.post("/v1/predictions", content=chunks(), headers=kind)
        assert_problem(refused, 413, "request_too_large")
        assert_problem(opened.post("/v1/predictions", files=files_of(*[b"x"] * 5)), 413, "too_many_files")
        assert opened.post("/v1/predictions", files=files_of(png())).status_code == 200


def test_a_client_that_asks_before_sending_is_told_at_once(small: Running) -> None:
    answer = exchanged(small, head(10**9, more="Expect: 100-continue\r\n"))
    assert problem_in(answer) == (413, "request_too_large")
    assert b"100 Continue" not in answer


@pytest.mark.slow
def test_slow_clients_are_left(small: Running) -> None:
    assert problem_in(exchanged(small, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", pause=1.5)) == (
        408,
        "head_too_slow",
    )
    body = b"--b\r\n" + b"x" * 100
    assert problem_in(exchanged(small, head(len(body) + 50) + body)) == (408, "upload_too_slow")
    assert exchanged(small, b"") == b""
    with small.client() as opened:
        assert opened.get("/healthz").status_code == 200


@pytest.mark.slow
def test_a_client_that_does_not_read_is_left(small: Running) -> None:
    asset = "/docs/swagger-ui/swagger-ui-bundle.js"
    with small.client() as opened:
        size = len(opened.get(asset).content)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", small.port))
        connection.sendall(f"GET {asset} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 8)
        time.sleep(4)
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += len(part)
    assert received < 8 * size


def test_what_is_not_http_is_told_so(small: Running) -> None:
    assert problem_in(exchanged(small, b"NONSENSE\r\n\r\n")) == (400, "not_http")
    assert problem_in(exchanged(small, b"GET / HTTP/1.1\r\n\r\n")) == (400, "not_http")
    assert problem_in(exchanged(small, b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000)) == (431, "head_too_large")
    unknown = b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n"
    assert problem_in(exchanged(small, unknown))[0] == 400


def test_connections_are_limited(small: Running) -> None:
    with small.client() as opened:
        idle = [socket.create_connection(("127.0.0.1", small.port), timeout=20) for _ in range(12)]
        refused = opened.get("/healthz")
        assert_problem(refused, 503, "busy")
        assert "retry-after" in refused.headers
        for connection in idle:
            connection.close()
    until(lambda: is_served(small, lambda opened: opened.get("/healthz")))


def test_uploads_share_a_limited_memory(small: Running) -> None:
    part = b"--b\r\nContent-Disposition: form-data; name=files\r\n\r\n" + b"x" * 50_000
    with socket.create_connection(("127.0.0.1", small.port), timeout=20) as connection:
        connection.sendall(head(59_000) + part)
        with small.client() as opened:
            statuses = [opened.post("/v1/predictions", files=files_of(b"y" * 30_000)).status_code for _ in range(5)]
    assert 503 in statuses
    until(lambda: is_served(small, lambda opened: opened.post("/v1/predictions", files=files_of(png()))))


def test_a_full_queue_sheds_load_and_recovers(model: Path, tmp_path: Path) -> None:
    with (
        limited_serve(tmp_path, model, "slow=0.05", "queue=8", "max_files=8") as running,
        running.client(limits=httpx.Limits(max_connections=100)) as opened,
        ThreadPoolExecutor(60) as pool,
    ):
        answers = list(pool.map(lambda seed: opened.post("/v1/predictions", files=files_of(png(seed))), range(60)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 503}
        shed = next(answer for answer in answers if answer.status_code == 503)
        assert_problem(shed, 503, "busy")
        assert 1 <= int(shed.headers["retry-after"]) <= 60
        assert opened.post("/v1/predictions", files=files_of(png())).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(model: Path, tmp_path: Path) -> None:
    with limited_serve(tmp_path, model, "slow=0.4", "answer_seconds=0.2") as running, running.client() as opened:
        assert_problem(opened.post("/v1/predictions", files=files_of(png())), 503, "too_slow")


@pytest.mark.parametrize(
    "wrong", [{"queue": 0}, {"max_files": 100}, {"max_file_bytes": 2**40}, {"max_request_bytes": 2**40}]
)
def test_limits_that_contradict_each_other(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Limits(**wrong)
