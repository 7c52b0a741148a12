from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lobule.config import FeatureSettings
from lobule.data.manifest import Manifest
from lobule.errors import ConfigError, DataError, MissingExtraError, VerificationError
from lobule.features import openvino_engine, parity, precision, quantise
from lobule.features.engines import open_engine
from lobule.features.extract import extract
from lobule.features.precision import settle
from lobule.features.spec import EncoderSpec
from lobule.provenance import cache_folder

ManifestOf = Callable[[int], Manifest]
needs_nncf = pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="the extra int8 is not installed")


def _with(settings: FeatureSettings, name: str) -> FeatureSettings:
    return settings.model_copy(update={"precision": name})


@pytest.fixture
def has_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processor say that it has bf16."""
    for module in (openvino_engine, precision):
        monkeypatch.setattr(module, "precisions", lambda: ("FP32", "BF16"))


@pytest.fixture
def lacks_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (openvino_engine, precision):
        monkeypatch.setattr(module, "precisions", lambda: ("FP32", "INT8"))


def _rounding(amount: float) -> type:
    """Return an engine whose bf16 features are off by a share of their length."""

    class Rounding:
        def __init__(self, graph: Path, *, precision: str) -> None:
            self._off = amount if precision == "bf16" else 0.0

        def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            row = np.array([1, self._off], np.float32)
            return np.repeat(row[None], len(images), axis=0)

    return Rounding


@pytest.mark.usefixtures("lacks_bf16")
def test_without_bf16_auto_is_single_precision_and_looks_at_nothing(
    tiny_settings: FeatureSettings, tiny_spec: EncoderSpec, manifest_of: ManifestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "decode", None)
    manifest = manifest_of(3)
    for name in ("auto", "f32"):
        assert settle(tiny_spec, _with(tiny_settings, name), manifest, seed=0) == tiny_spec
    with pytest.raises(ConfigError, match=r"bf16: this processor computes in FP32, INT8; use auto or f32"):
        settle(tiny_spec, _with(tiny_settings, "bf16"), manifest, seed=0)
    assert openvino_engine.OpenVINOEngine(_graph(tiny_spec), precision="bf16").precision == "f32"


@pytest.mark.usefixtures("has_bf16")
@pytest.mark.parametrize(("off", "kept"), [(0.02, True), (0.06, False)])
def test_bf16_is_used_where_every_image_keeps_its_features(
    tiny_settings: FeatureSettings,
    tiny_spec: EncoderSpec,
    manifest_of: ManifestOf,
    monkeypatch: pytest.MonkeyPatch,
    off: float,
    kept: bool,
) -> None:
    monkeypatch.setattr(precision, "OpenVINOEngine", _rounding(off))
    manifest, auto = manifest_of(6), _with(tiny_settings, "auto")
    settled = settle(tiny_spec, auto, manifest, seed=0)
    assert settled.precision == ("bf16" if kept else "f32")
    assert (settled.key == tiny_spec.key) is not kept
    (measured,) = parity.measured_parities()
    assert measured.images == 5
    assert measured.lowest_cosine == pytest.approx(1 / np.hypot(1, off))
    monkeypatch.setattr(precision, "OpenVINOEngine", None)  # what was measured is remembered
    assert settle(tiny_spec, auto, manifest, seed=0) == settled
    if not kept:
        with pytest.raises(VerificationError, match=r"bf16: tiny in bf16: lowest cosine 0\.998\d.*needed 0\.999"):
            settle(tiny_spec, _with(tiny_settings, "bf16"), manifest, seed=0)


@pytest.mark.usefixtures("has_bf16")
def test_an_engine_asks_for_the_precision_of_its_specification(
    tiny_spec: EncoderSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino as ov

    asked: list[str] = []
    compile_model = ov.Core.compile_model

    def recording(core: ov.Core, model: ov.Model, device: str, settings: dict[str, str]) -> ov.CompiledModel:
        asked.append(settings["INFERENCE_PRECISION_HINT"])
        return compile_model(core, model, device, {**settings, "INFERENCE_PRECISION_HINT": "f32"})

    monkeypatch.setattr(ov.Core, "compile_model", recording)
    image = np.zeros((1, 32, 32, 3), np.uint8)
    for spec in (tiny_spec, EncoderSpec(**{**vars(tiny_spec), "precision": "bf16"})):
        engine = open_engine(spec)
        assert engine.precision == spec.precision
        engine.encode(image)
    assert asked == ["f32", "bf16"]


@pytest.mark.parametrize("name", ["bf16", "int8"])
def test_only_openvino_computes_in_less(
    tiny_settings: FeatureSettings, tiny_spec: EncoderSpec, manifest_of: ManifestOf, name: str
) -> None:
    keras = EncoderSpec(**{**vars(tiny_spec), "engine": "keras"})
    manifest = manifest_of(3)
    assert settle(keras, _with(tiny_settings, "auto"), manifest, seed=0) == keras
    with pytest.raises(ConfigError, match=rf"{name}: is computed by OpenVINO.*received the engine keras"):
        settle(keras, _with(tiny_settings, name), manifest, seed=0)


@needs_nncf
def test_int8_is_calibrated_on_some_images_judged_on_others_and_the_same_each_time(
    tiny_settings: FeatureSettings, tiny_spec: EncoderSpec, manifest_of: ManifestOf, capfd: pytest.CaptureFixture[str]
) -> None:
    settings, manifest = _with(tiny_settings, "int8"), manifest_of(25)
    settled = settle(tiny_spec, settings, manifest, seed=0)
    assert settled.precision == "int8"
    assert settled.in_single_precision == tiny_spec
    assert len({settled.key, tiny_spec.key}) == 2
    (measured,) = parity.measured_parities()
    assert (measured.images, measured.calibrated_with) == (6, 18)
    assert 0.99 <= measured.lowest_cosine < 1
    graph = quantise.quantised_graph(settled)
    content = graph.with_suffix(".bin").read_bytes()
    backwards = manifest.select(list(reversed(manifest.frame["image_id"])))
    assert settle(tiny_spec, settings, backwards, seed=0) == settled
    shutil.rmtree(cache_folder() / "graphs" / graph.parent.name)
    with pytest.raises(VerificationError, match="quantised graph of tiny is missing or damaged"):
        open_engine(settled)
    assert settle(tiny_spec, settings, manifest, seed=0) == settled
    assert graph.with_suffix(".bin").read_bytes() == content
    assert settle(tiny_spec, settings, manifest, seed=1) != settled
    assert capfd.readouterr().out == ""


@needs_nncf
def test_features_of_two_precisions_never_mix_and_stay_averages_of_the_map(
    tiny_settings: FeatureSettings, manifest_of: ManifestOf
) -> None:
    manifest = manifest_of(12)
    plain = extract(manifest, tiny_settings, seed=0)
    quantised = extract(manifest, _with(tiny_settings, "int8"), seed=0)
    assert quantised.spec.precision == "int8"
    assert np.abs(quantised.values - plain.values).max() > 0
    np.testing.assert_allclose(quantised.values, plain.values, rtol=0.2, atol=0.05 * np.abs(plain.values).max())
    np.testing.assert_array_equal(extract(manifest, tiny_settings, seed=0).values, plain.values)
    images = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    features, maps = open_engine(quantised.spec).maps(images)
    np.testing.assert_allclose(features, maps.mean(axis=(1, 2)), rtol=1e-5)


@needs_nncf
def test_int8_that_does_not_keep_the_features_is_refused_with_its_numbers(
    tiny_settings: FeatureSettings, tiny_spec: EncoderSpec, manifest_of: ManifestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "BOUNDS", {"int8": 1.5})
    with pytest.raises(VerificationError, match=r"tiny in int8: lowest cosine \d\.\d+ of 3 images after.*needed 1\.5"):
        settle(tiny_spec, _with(tiny_settings, "int8"), manifest_of(13), seed=0)


def test_int8_needs_its_extra_and_some_images(
    tiny_settings: FeatureSettings, tiny_spec: EncoderSpec, manifest_of: ManifestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _with(tiny_settings, "int8")
    with pytest.raises(ConfigError, match="4 training images are needed, received 3"):
        settle(tiny_spec, settings, manifest_of(4), seed=0)

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("lobule.features.quantise.metadata.version", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "lobule\[int8\]"'):
        settle(tiny_spec, settings, manifest_of(9), seed=0)


def test_a_file_that_cannot_be_decoded_is_named(
    tiny_settings: FeatureSettings, tiny_spec: EncoderSpec, manifest_of: ManifestOf
) -> None:
    manifest = manifest_of(9)
    manifest.paths[2].write_bytes(b"no image")
    with pytest.raises(DataError, match=r"002\.png.*scan the data again"):
        settle(tiny_spec, _with(tiny_settings, "int8"), manifest, seed=0)


def _graph(spec: EncoderSpec) -> Path:
    return cache_folder() / "graphs" / spec.graph_key / "backbone.xml"
