from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.processes import Running

_RUN = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
_SETTINGS = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.slow
def test_the_server_keeps_its_openapi_document(server: Running, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    command = [sys.executable, "-c", _RUN, "--config-file", str(_SETTINGS), "run", f"{server.url}/openapi.json"]
    options = ["--max-examples", "10", "--seed", "1", "--no-color"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "Tested: 7" in done.stdout
    assert '"status": 500' not in server.log.read_text()


def test_every_address_and_every_error_is_described(client: httpx.Client) -> None:
    document: dict[str, Any] = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/healthz",
        "/metrics",
        "/readyz",
        "/v1/cases",
        "/v1/heatmaps",
        "/v1/model",
        "/v1/predictions",
    }
    assert {"code", "detail", "errors"} <= set(document["components"]["schemas"]["Problem"]["properties"])
    for path in ("/v1/cases", "/v1/heatmaps", "/v1/predictions"):
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "401", "413", "415", "422", "429", "503"} <= set(responses)
        problems = {tuple(each["content"]) for status, each in responses.items() if status != "200"}
        assert problems == {("application/problem+json",)}


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/predictions/", "/docs/", "/page/../app.py", "/page/%2e%2e/app.py"]
)
def test_what_is_not_there_is_a_problem(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_wrong_method_is_told_the_right_one(client: httpx.Client) -> None:
    response = client.delete("/v1/predictions")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["code"] == "method_not_allowed"


def test_the_reference_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    sources = [part.partition('"')[0] for part in page.text.replace('href="', 'src="').split('src="')[1:]]
    assert sources
    for source in sources:
        assert source == "data:," or source.startswith("/docs/")
        if source != "data:,":
            loaded = client.get(source)
            assert loaded.status_code == 200
            assert loaded.headers["x-content-type-options"] == "nosniff"
            again = client.get(source, headers={"If-None-Match": loaded.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
    assert "<style" not in page.text
    assert page.text.count("<script") == page.text.count("<script src=")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"


def test_licences_stand_beside_what_is_vendored(client: httpx.Client) -> None:
    for name in ("LICENSE", "NOTICE", "ORIGIN.txt", "swagger-ui-bundle.js.LICENSE.txt"):
        assert client.get(f"/docs/swagger-ui/{name}").status_code == 200
