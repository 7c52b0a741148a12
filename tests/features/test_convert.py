from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lobule.config import FeatureSettings
from lobule.errors import VerificationError
from lobule.features import convert
from lobule.features.convert import graph_of, parity_images
from lobule.features.engines import open_engine
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.provenance import cache_folder

pytestmark = [pytest.mark.slow, pytest.mark.keras]


def _spec(**changes: object) -> EncoderSpec:
    values = {"backbone": "mobilenet_v2", "weights": "none", "engine": "openvino", **changes}
    return encoder_spec(FeatureSettings.model_validate(values), seed=0)


@pytest.fixture
def spec() -> EncoderSpec:
    return _spec()


def test_openvino_and_keras_agree(spec: EncoderSpec) -> None:
    images = parity_images(3, 224)
    openvino, keras = open_engine(spec), open_engine(spec, kind="keras")
    assert (openvino.name, keras.name) == ("openvino", "keras")
    assert openvino.feature_size == keras.feature_size == spec.feature_size
    for ours, theirs in zip(openvino.maps(images), keras.maps(images), strict=True):
        assert ours.shape == theirs.shape
        assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 1e-4
    np.testing.assert_array_equal(openvino.encode(images), openvino.maps(images)[0])


def test_a_real_graph_gives_the_same_bits_with_and_without_neighbours(spec: EncoderSpec) -> None:
    engine, images = open_engine(spec), parity_images(9, 224)
    alone = np.concatenate([engine.encode([image]) for image in images])
    np.testing.assert_array_equal(engine.encode(images), alone)


def test_the_comparison_is_recorded_beside_the_graph(spec: EncoderSpec) -> None:
    folder = graph_of(spec).parent
    assert folder == cache_folder() / "graphs" / spec.graph_key
    assert sorted(file.name for file in folder.iterdir()) == [
        "backbone.bin",
        "backbone.xml",
        "parity.json",
        "spec.json",
    ]
    parity = json.loads((folder / "parity.json").read_text())
    assert 0 < parity["largest_relative_difference"] < parity["bound"] == 1e-3
    assert EncoderSpec.from_json(json.loads((folder / "spec.json").read_text())) == spec


def test_a_graph_is_written_once_and_mended_when_damaged(spec: EncoderSpec) -> None:
    weights = graph_of(spec).with_name("backbone.bin")
    written, content = weights.stat().st_mtime_ns, weights.read_bytes()
    assert graph_of(spec).with_name("backbone.bin").stat().st_mtime_ns == written
    weights.write_bytes(content[:-9])
    assert graph_of(spec).with_name("backbone.bin").read_bytes() == content
    assert [path for path in (cache_folder() / "graphs").iterdir() if path.suffix == ".tmp"] == []


def test_a_written_graph_is_opened_without_keras(spec: EncoderSpec) -> None:
    graph_of(spec)
    script = (
        "import sys; from lobule.config import FeatureSettings; from lobule.features.spec import encoder_spec;"
        "from lobule.features.engines import open_engine;"
        "settings = FeatureSettings(backbone='mobilenet_v2', weights='none', engine='openvino');"
        "assert open_engine(encoder_spec(settings, seed=0)).feature_size == 1280;"
        "assert not {'keras', 'tensorflow', 'h5py'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_graph_that_does_not_agree_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = _spec(layers=("block_2_add",))
    monkeypatch.setattr(convert, "PARITY_BOUND", 0.0)
    with pytest.raises(VerificationError, match=r"mobilenet_v2: OpenVINO and Keras differ by .* allowed 0"):
        graph_of(spec)
    assert not (cache_folder() / "graphs" / spec.graph_key).exists()


def test_an_output_that_is_not_finite_is_no_agreement() -> None:
    ones = np.ones((2, 3), np.float32)
    assert np.isnan(convert._relative_difference(ones, ones * np.float32("nan")))


def _graph_under_jax(weights: str) -> subprocess.CompletedProcess[str]:
    script = (
        "import sys; from lobule.config import FeatureSettings; from lobule.features.spec import encoder_spec;"
        "from lobule.features.convert import graph_of;"
        f"settings = FeatureSettings(backbone='vgg16_blocks1to3', weights={weights!r}, engine='openvino');"
        "sys.stdout.write(str(graph_of(encoder_spec(settings, seed=7))));"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    under_jax = {**os.environ, "KERAS_BACKEND": "jax"}
    return subprocess.run([sys.executable, "-c", script], env=under_jax, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_under_another_backend_a_tensorflow_process_writes_the_graph() -> None:
    done = _graph_under_jax("none")
    assert done.returncode == 0, done.stderr
    parity = json.loads((Path(done.stdout).parent / "parity.json").read_text())
    assert parity["reference"].endswith("on tensorflow")


@pytest.mark.slow
def test_an_error_of_that_process_reaches_the_caller_as_it_was(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "other.weights.h5"
    with h5py.File(path, "w") as file:
        for number in range(13):
            file[f"layers/conv2d{f'_{number}' if number else ''}/vars/0"] = np.zeros((1, 1, 1, 1))
    done = _graph_under_jax(str(path))
    assert "WeightsError: --weights" in done.stderr
    assert "does not fit --backbone vgg16_blocks1to3" in done.stderr


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("densenet121", "densenet121_imagenet_notop.weights.h5"),
        ("mobilenet_v2", "mobilenet_v2_imagenet_notop.weights.h5"),
        ("vgg16", "vgg16_imagenet_block1_to_block3.weights.h5"),
    ],
)
def test_pretrained_graphs_agree(shared: Path, name: str, file: str) -> None:
    graph = graph_of(_spec(backbone=name, weights=str(shared / "weights" / file)))
    parity = json.loads(graph.with_name("parity.json").read_text())
    assert parity["largest_relative_difference"] < 1e-4


@pytest.mark.slow
def test_dead_ends_of_custom_gradients_are_no_outputs() -> None:
    graph = graph_of(_spec(backbone="efficientnetv2-b0", weights="none"))
    parity = json.loads(graph.with_name("parity.json").read_text())
    assert parity["largest_relative_difference"] < 1e-3
