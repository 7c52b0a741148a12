"""The examples of docs/service.md are run as they stand there, against a real server."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lobule.inference.predictor import Predictor
from lobule.server.limits import MIB, Limits
from tests.inference.conftest import noise
from tests.server.conftest import png
from tests.server.processes import Running

_GUIDE = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
_ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, name in enumerate(("a.png", "b.png")):
        (tmp_path / name).write_bytes(png(place))
    return tmp_path


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", _GUIDE, flags=re.DOTALL)


def test_every_curl_example_works(server: Running, folder: Path, predictor: Predictor) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = [line for block in _blocks("sh") for line in block.splitlines()]
    assert len(lines) == 7
    outputs = {}
    for line in lines:
        done = subprocess.run(
            ["sh", "-c", line.replace(_ADDRESS, server.url)], cwd=folder, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), line
        outputs[line.rpartition("/")[2]] = done.stdout
    expected = predictor.predict([noise(0), noise(1)]).frame["prob_malignant"]
    items = json.loads(outputs["predictions"])["predictions"]
    np.testing.assert_allclose([item["prob_malignant"] for item in items], expected, atol=1e-6)
    assert json.loads(outputs["cases"])["case"]["case_id"] == "14-22549"
    assert json.loads(outputs["model"])["model_id"] == predictor.bundle.record.model_id
    assert "lobule_requests_total" in outputs["metrics"]
    layer = Image.open(io.BytesIO((folder / "heatmap.png").read_bytes()))
    assert (layer.size, layer.mode) == ((70, 46), "RGBA")


def test_the_client_in_ten_lines_works(server: Running, folder: Path, predictor: Predictor) -> None:
    (code,) = _blocks("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    told = subprocess.run(
        [sys.executable, "-c", code.replace(_ADDRESS, server.url)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    frame = predictor.predict([noise(0), noise(1)]).frame
    expected = zip(("a.png", "b.png"), frame["verdict"], frame["prob_malignant"], strict=True)
    assert told == [f"{name} {verdict} {probability:.3f}" for name, verdict, probability in expected]


def test_the_guide_names_every_option_and_every_code_and_the_limits() -> None:
    import typer

    from lobule.cli.app import app

    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts} - {"--model", "--help"}
    assert set(re.findall(r"^\| `(--[a-z-]+)", _GUIDE, flags=re.MULTILINE)) == known
    source = "".join(path.read_text() for path in (Path(__file__).parents[2] / "src/lobule/server").glob("*.py"))
    raised = set(re.findall(r'(?:ProblemError\(\s*\d+,|_busy\(|code=)\s*"([a-z_]+)"', source)) - {"internal"}
    assert len(raised) > 20
    assert {code for code in raised if f"`{code}`" not in _GUIDE} == set()
    limits = Limits()
    for stated in (
        f"{limits.max_file_bytes // MIB} MiB a file",
        f"{limits.max_request_bytes // MIB} MiB and {limits.max_files} files a request",
        f"{limits.max_pixels // 1_000_000} million pixels",
        f"{limits.queue} images may wait and {limits.buffered_bytes // MIB} MiB",
        f"{limits.connections} connections",
        f"does not read an answer for {limits.send_seconds:g} s",
        f"within {limits.upload_seconds:g} s, the head within {limits.head_seconds:g} s",
        f"more than {limits.answer_seconds:g} s",
        f"`--requests-per-minute {limits.requests_per_minute}`",
    ):
        assert stated in _GUIDE, stated
