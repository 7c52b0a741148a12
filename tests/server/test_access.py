from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from lobule.errors import ConfigError
from lobule.server.access import Access, Rates, is_loopback, read_token
from tests.server.conftest import assert_problem, files_of, png
from tests.server.processes import limited_serve, lobule_serve

_TOKEN = "0123456789abcdef" * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:1", "127.9.9.9"])
def test_names_of_this_computer_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "10.0.0.1", "localhost.evil.example", "", "[::"])
@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/model"])
def test_other_names_are_not(client: httpx.Client, host: str, path: str) -> None:
    assert_problem(client.get(path, headers={"Host": host}), 421, "wrong_host")


def test_a_page_of_another_origin_gets_nothing(client: httpx.Client, server: object) -> None:
    own = str(client.base_url).rstrip("/")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        response = client.post("/v1/predictions", files=files_of(png()), headers=headers)
        assert_problem(response, 403, "cross_origin")
        assert "access-control-allow-origin" not in response.headers
    for headers in ({"Origin": own}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert client.post("/v1/predictions", files=files_of(png()), headers=headers).status_code == 200
    preflight = client.options("/v1/predictions", headers={"Origin": "https://evil.example"})
    assert preflight.status_code in (403, 405)
    assert not [name for name in preflight.headers if name.startswith("access-control")]


def test_without_the_token_only_the_page_and_the_state_are_given(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{_TOKEN}\n")
    with lobule_serve(tmp_path, model, "--token-file", file) as running, running.client() as opened:
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert opened.get(path).status_code == 200
        for given in ({}, {"Authorization": f"Bearer {_TOKEN[:-1]}"}, {"Authorization": f"Basic {_TOKEN}"}):
            for path in ("/v1/model", "/metrics", "/v1/unknown"):
                refused = opened.get(path, headers=given)
                assert_problem(refused, 401, "unauthorized")
                assert refused.headers["www-authenticate"] == "Bearer"
            assert opened.post("/v1/predictions", files=files_of(png()), headers=given).status_code == 401
        given = {"Authorization": f"Bearer {_TOKEN}"}
        assert opened.get("/v1/model", headers=given).status_code == 200
        assert opened.post("/v1/predictions", files=files_of(png()), headers=given).status_code == 200
        assert opened.get("/openapi.json").json()["security"] == [{"token": []}]
        assert _TOKEN not in running.log.read_text()


def test_who_asks_too_often_waits(model: Path, tmp_path: Path) -> None:
    with limited_serve(tmp_path, model, "requests_per_minute=3") as running, running.client() as opened:
        assert [opened.get("/v1/model").status_code for _ in range(3)] == [200, 200, 200]
        refused = opened.get("/v1/model")
        assert_problem(refused, 429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert opened.get("/healthz").status_code == 200


def test_a_bucket_is_refilled_and_clients_do_not_share_it() -> None:
    now = 0.0
    rates = Rates(60, clock=lambda: now)
    assert [rates.wait_of("10.0.0.1") for _ in range(60)] == [0.0] * 60
    assert rates.wait_of("10.0.0.1") == pytest.approx(1.0)
    assert rates.wait_of("10.0.0.2") == 0.0
    now = 0.5
    assert rates.wait_of("10.0.0.1") == pytest.approx(0.5)
    now = 1.0
    assert rates.wait_of("10.0.0.1") == 0.0


def test_one_network_of_ipv6_is_one_client_and_clients_are_forgotten() -> None:
    rates = Rates(1, clock=lambda: 0.0)
    assert rates.wait_of("2001:db8::1") == 0
    assert rates.wait_of("2001:db8::2") > 0
    assert rates.wait_of("2001:db8:0:1::1") == 0
    for number in range(5000):
        rates.wait_of(f"10.0.{number // 256}.{number % 256}")
    assert rates.wait_of("2001:db8::1") == 0


def test_names_that_are_allowed() -> None:
    access = Access.of("0.0.0.0", token=_TOKEN, allowed_hosts=["Scanner.example."])
    assert access.knows("scanner.example:443")
    assert access.knows("192.0.2.7:8000")
    assert not access.knows("other.example")
    assert access.admits(f"bearer {_TOKEN}")
    assert not access.admits("")
    assert not Access.of("127.0.0.1", token=None).knows("192.0.2.7")
    assert Access.of("127.0.0.1", token=None).admits("")


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)]
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("content", [b"short", b"with spaces in the middle of it", b"\xff" * 40, b""])
def test_a_weak_token_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match="--token-file"):
        read_token(tmp_path / "token")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(tmp_path / "missing")


def test_beyond_this_computer_a_token_or_a_warning_is_needed(model: Path) -> None:
    command = [sys.executable, "-m", "lobule", "serve", "--model", str(model), "--host", "0.0.0.0", "--port", "0"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "--token-file" in refused.stderr
    assert "--insecure-no-token" in refused.stderr
    with subprocess.Popen(
        [*command, "--insecure-no-token"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as opened:
        assert opened.stdout is not None
        assert opened.stderr is not None
        port = opened.stdout.readline().strip().rstrip("/").rpartition(":")[2]
        assert httpx.get(f"http://127.0.0.1:{port}/v1/model", trust_env=False).status_code == 200
        opened.terminate()
        assert "Warning: --insecure-no-token" in opened.stderr.read()
