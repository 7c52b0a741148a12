"""The model inside the package, as a user meets it: at once, offline, without a training framework."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lobule
from lobule.errors import ConfigError
from lobule.model.bundle import open_bundle
from lobule.starter import STARTER_NOTE, shipped, starter_bundle
from tests.cli.conftest import Lobule
from tests.cli.conftest import lobule as _lobule
from tests.runs import paint

_ROOT = Path(__file__).parents[2]
_LIMIT = 10 * 2**20
command = _lobule


def test_an_installation_without_the_starter_model_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    with pytest.raises(ConfigError, match="--force-reinstall"):
        starter_bundle()


def test_it_is_whole_and_small() -> None:
    bundle = open_bundle(starter_bundle())
    assert bundle.record.backbone.name == "starter"
    assert bundle.record.tasks == ("binary", "subtype")
    assert bundle.record.training.n_cases == 51
    assert bundle.novelty is not None
    assert sum(file.stat().st_size for file in bundle.folder.iterdir()) <= _LIMIT


def test_it_answers_without_a_name_and_explains_itself(tmp_path: Path) -> None:
    paint(tmp_path / "tissue.png", 1)
    model = lobule.load()
    assert model.bundle.folder == starter_bundle()
    row = model.predict(tmp_path / "tissue.png").frame.iloc[0]
    assert 0 <= row["prob_malignant"] <= 1
    heat_map = model.heatmap(tmp_path / "tissue.png")
    assert heat_map.values.shape == (14, 14)
    assert np.isfinite(heat_map.values).all()


def test_predict_says_which_model_it_used_and_shows_the_answer(command: Lobule, tmp_path: Path) -> None:
    paint(tmp_path / "tissue.png", 1)
    shown = command("predict", tmp_path / "tissue.png")
    assert shown.code == 0
    assert STARTER_NOTE in shown.err
    assert "tissue.png" in "".join(shown.out.split())
    assert "P(malignant)" in shown.out
    assert list(tmp_path.iterdir()) == [tmp_path / "tissue.png"]
    told = command("predict", tmp_path / "tissue.png", "--json")
    assert told.json["model_id"] == open_bundle(starter_bundle()).record.model_id
    assert [row["path"] for row in told.json["predictions"]] == [str(tmp_path / "tissue.png")]
    assert set(told.json["predictions"][0]) == {"path", "verdict", "prob_malignant", "pred_subtype", "reason"}


def test_what_cannot_be_used_is_named_where_nothing_is_written(command: Lobule, tmp_path: Path) -> None:
    paint(tmp_path / "tissue.png", 1)
    (tmp_path / "broken.png").write_bytes((tmp_path / "tissue.png").read_bytes()[:100])
    shown = command("predict", tmp_path)
    assert shown.code == 2
    assert "broken.png:" in shown.err
    assert "tissue.png" in "".join(shown.out.split())


def test_resuming_needs_the_file_that_is_resumed(command: Lobule, tmp_path: Path) -> None:
    paint(tmp_path / "tissue.png", 1)
    shown = command("predict", tmp_path / "tissue.png", "--resume")
    assert shown.code == 1
    assert "--resume: needs --out" in shown.err


def test_a_named_model_is_used_in_silence(command: Lobule, tmp_path: Path) -> None:
    paint(tmp_path / "tissue.png", 1)
    out = tmp_path / "predictions.csv"
    shown = command("predict", tmp_path / "tissue.png", "--model", starter_bundle(), "--out", out)
    assert shown.code == 0
    assert STARTER_NOTE not in shown.err
    assert len(pd.read_csv(out)) == 1


def test_it_needs_neither_keras_nor_a_network(tmp_path: Path) -> None:
    paint(tmp_path / "tissue.png", 1)
    code = f"""
import socket, sys
def refuse(*_): raise AssertionError("a network was used")
socket.socket.connect = refuse
import lobule
model = lobule.load()
model.predict({str(tmp_path / "tissue.png")!r}), model.heatmap({str(tmp_path / "tissue.png")!r})
print(sorted({{"keras", "tensorflow", "jax", "torch"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_wheel_and_sdist_contain_it(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    for target in ("wheel", "sdist"):
        command_line = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(tmp_path)]
        subprocess.run(command_line, cwd=_ROOT, capture_output=True, text=True, check=True, env={**os.environ})
    wanted = {file.name for file in starter_bundle().iterdir()}
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {Path(name).name for name in archive.namelist() if "lobule/starter/bundle/" in name}
    assert inside == wanted
    (sdist,) = tmp_path.glob("*.tar.gz")
    listed = subprocess.run(["tar", "tzf", str(sdist)], capture_output=True, text=True, check=True).stdout
    assert wanted == {Path(line).name for line in re.findall(r".*/lobule/starter/bundle/.+", listed)}
