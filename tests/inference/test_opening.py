from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lobule.errors import ConfigError, VerificationError
from lobule.features import openvino_engine
from lobule.features.engines import Precision
from lobule.inference.opening import open_predictor
from lobule.inference.predictor import Predictor
from tests.inference.conftest import noise


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note which graphs are read."""
    read, paths = openvino_engine.load_graph, []

    def load_graph(xml: Path, *, precision: Precision = "f32") -> openvino_engine.OpenVINOEngine:
        paths.append(xml)
        return read(xml, precision=precision)

    monkeypatch.setattr(openvino_engine, "load_graph", load_graph)
    return paths


def test_the_answers_are_those_of_any_predictor(bundle_folder: Path, opened: list[Path]) -> None:
    soon, later = open_predictor(bundle_folder.parent), Predictor(bundle_folder)
    images = [noise(seed) for seed in range(3)]
    assert soon.predict(images).frame.equals(later.predict(images).frame)
    assert soon.bundle.record == later.bundle.record
    assert opened == [bundle_folder / "backbone.xml"]


@pytest.mark.parametrize("name", ["backbone.xml", "backbone.bin", "heads.safetensors", "bundle.json"])
def test_of_a_damaged_bundle_no_graph_is_read(
    bundle_folder: Path, tmp_path: Path, opened: list[Path], name: str
) -> None:
    damaged = shutil.copytree(bundle_folder, tmp_path / "model")
    content = bytearray((damaged / name).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / name).write_bytes(bytes(content))
    with pytest.raises(VerificationError, match=name):
        open_predictor(damaged)
    assert opened == []


def test_what_is_no_model_is_named(tmp_path: Path, opened: list[Path]) -> None:
    with pytest.raises(ConfigError, match="expected a bundle"):
        open_predictor(tmp_path)
    assert opened == []


def test_an_error_of_the_graph_reaches_the_first_answer(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_graph(xml: Path, *, precision: Precision = "f32") -> openvino_engine.OpenVINOEngine:
        raise VerificationError(f"{xml}: is no graph")

    monkeypatch.setattr(openvino_engine, "load_graph", load_graph)
    predictor = open_predictor(bundle_folder)
    for _ in range(2):
        with pytest.raises(VerificationError, match="is no graph"):
            predictor.predict(noise(1))
