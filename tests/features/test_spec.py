from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lobule.config import FeatureSettings
from lobule.errors import ConfigError
from lobule.features.keras_runtime import keras_backend
from lobule.features.spec import EncoderSpec, encoder_spec, engine_for
from lobule.features.weights import ResolvedWeights


def _spec(**changes: object) -> EncoderSpec:
    settings = FeatureSettings.model_validate({"backbone": "vgg16", "weights": "none", "engine": "openvino", **changes})
    return encoder_spec(settings, seed=0)


def test_a_specification_survives_json() -> None:
    for weights in (_spec().weights, ResolvedWeights("file", Path("/w.h5"), "ab", "vgg16", "a note")):
        spec = replace(_spec(layers=("block3_pool", "block5_pool")), weights=weights)
        assert EncoderSpec.from_json(spec.to_json()) == spec


def test_the_key_follows_what_decides_the_features() -> None:
    spec = _spec()
    others = [
        _spec(backbone="vgg19"),
        _spec(layers=("block3_pool",)),
        _spec(engine="keras"),
        encoder_spec(FeatureSettings(backbone="vgg16", weights="none", engine="openvino"), seed=1),
    ]
    assert len({each.key for each in (spec, *others)}) == 5
    assert spec.key == _spec(layers=("block5_pool",)).key
    assert spec.key != spec.graph_key == replace(spec, engine="keras").graph_key


def test_the_key_does_not_follow_the_seed_of_pretrained_weights_or_where_they_lie() -> None:
    spec = replace(_spec(), weights=ResolvedWeights("file", Path("/a.h5"), "ab", "vgg16"))
    moved = replace(spec, seed=5, weights=replace(spec.weights, path=Path("/b.h5"), note="moved"))
    assert moved.key == spec.key


def test_the_map_belongs_to_the_deepest_layer() -> None:
    spec = _spec(layers=("block5_pool", "block3_pool"))
    assert (spec.feature_size, spec.map_slice) == (768, slice(0, 512))


def test_an_unknown_layer_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ConfigError, match="block7_pool unknown"):
        _spec(layers=("block7_pool",))


@pytest.mark.keras
@pytest.mark.shared
def test_weights_of_three_blocks_change_the_backbone(shared: Path) -> None:
    weights = str(shared / "weights" / "vgg16_imagenet_block1_to_block3.weights.h5")
    spec = _spec(weights=weights, layers=("block3_pool",))
    assert (spec.backbone, spec.feature_size) == ("vgg16_blocks1to3", 256)
    with pytest.raises(ConfigError, match=r"block5_pool unknown; vgg16_blocks1to3 has.*holds only the first blocks"):
        _spec(weights=weights, layers=("block5_pool",))


def test_auto_is_openvino_without_a_gpu_and_does_not_import_keras() -> None:
    script = (
        "import sys; from lobule.features.spec import engine_for; import lobule.features.extract;"
        "assert engine_for('auto') == 'openvino';"
        "assert not {'keras', 'tensorflow', 'openvino', 'h5py'} & set(sys.modules), 'imported too early'"
    )
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", script], env=hidden, check=True)


def test_a_named_engine_is_taken_at_its_word() -> None:
    assert engine_for("keras") == "keras"


@pytest.mark.parametrize(
    ("file", "expected"), [('{"backend": "jax"}', "jax"), ("{}", "tensorflow"), ("garbage", "tensorflow")]
)
def test_the_backend_is_known_without_importing_keras(
    file: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text(file)
    assert keras_backend() == expected
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert keras_backend() == "torch"
