from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lobule.bench import rivals
from lobule.bench.encode import bench_encode
from lobule.bench.machine import machine
from lobule.bench.rivals import TorchProcess, encoding_rivals
from lobule.bench.setup import Setup
from lobule.errors import RunError
from lobule.features.build import build_spec
from lobule.features.keras_engine import KerasEngine
from lobule.features.spec import encoder_spec
from lobule.provenance import cache_folder, usable_cores

pytestmark = pytest.mark.keras


def test_rates_are_positive_and_ratios_follow_from_them(tiny: Setup) -> None:
    cache = cache_folder()
    result = bench_encode(tiny)
    medians = {series.name: series.median for series in result.series}
    ratios = {ratio.name: ratio.value for ratio in result.ratios}
    assert all(math.isfinite(value) and value > 0 for value in [*medians.values(), *ratios.values()])
    assert ratios["encode_vs_keras_predict"] == medians["encode"] / medians["keras_predict"]
    assert ratios["encode_vs_keras_jit"] == medians["encode"] / medians["keras_jit"]
    possible = 1 / (1 / medians["engine"] + medians["prepare"] / usable_cores())
    assert ratios["encode_efficiency"] == pytest.approx(medians["encode"] / possible)
    assert ratios["engine_vs_matmul_peak"] == medians["engine"] * medians["macs_an_image"] / medians["matmul_f32"]
    assert medians["macs_an_image"] == 8 * 8 * 5 * 5 * 3 * 8
    assert ("matmul_bf16" in medians) == ("BF16" in machine()["precisions"])
    assert result.workload["images"].startswith("8 images: 4 140x92 PNG, 4 224x224 PNG")
    assert result.workload["weights"].startswith("none")
    assert cache_folder() == cache


@pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="the extra int8 is not installed")
def test_int8_is_measured_with_its_parity(tiny: Setup) -> None:
    result = bench_encode(replace(tiny, precision="int8"))
    assert result.workload["engine"] == "openvino, int8"
    assert any("tiny in int8: lowest cosine" in note and "calibration with 6" in note for note in result.notes)
    ratios = {ratio.name: ratio.value for ratio in result.ratios}
    assert ratios["encode_vs_keras_predict"] > 0
    assert "engine_vs_matmul_peak" not in ratios
    assert any("engine_vs_matmul_peak: not measured in int8" in note for note in result.notes)


def test_what_is_not_installed_is_named_with_the_line_that_brings_it(tiny: Setup, tmp_path: Path) -> None:
    spec = encoder_spec(tiny.features, seed=0)
    images = np.zeros((2, 32, 32, 3), np.float32)
    found, skipped = encoding_rivals(build_spec(spec), "tiny", images, folder=tmp_path)
    assert {rival.name for rival in found} | {each.name for each in skipped} == {
        "keras_predict",
        "keras_jit",
        "onnxruntime",
        "torch",
    }
    for each in skipped:
        assert each.remedy.startswith(("pip install ", "torchvision is compared"))


def test_rivals_give_the_features_of_the_reference(tiny: Setup, tmp_path: Path) -> None:
    spec = encoder_spec(tiny.features, seed=0)
    images = np.random.default_rng(0).integers(0, 256, (35, 32, 32, 3), dtype=np.uint8)
    expected = KerasEngine(spec).encode(images)
    found, _ = encoding_rivals(build_spec(spec), "tiny", images.astype(np.float32), folder=tmp_path)
    for rival in found:
        assert rival.seconds() > 0
        assert rival.encode is not None
        given = rival.encode(images.astype(np.float32))
        features = np.concatenate(given) if isinstance(given, list) else given
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("missing", "backend", "line"),
    [
        ("torch", "tensorflow", "pip install torch"),
        ("tf2onnx", "tensorflow", "pip install tf2onnx"),
        ("jax2onnx", "jax", "pip install jax2onnx"),
    ],
)
def test_a_missing_package_is_the_only_one_asked_for(
    tiny: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, backend: str, line: str
) -> None:
    monkeypatch.setattr("lobule.bench.rivals.keras_backend", lambda: backend)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else name)
    monkeypatch.setattr("lobule.bench.rivals._onnxruntime", lambda *arguments: len)
    images = np.zeros((2, 32, 32, 3), np.float32)
    _, skipped = encoding_rivals(build_spec(encoder_spec(tiny.features, seed=0)), "tiny", images, folder=tmp_path)
    assert line in [each.remedy for each in skipped]


def test_what_is_exported_gives_the_same_features() -> None:
    keras = pytest.importorskip("keras")
    image = keras.Input((8, 8, 3), name="image")
    scaled = keras.layers.Normalization(mean=[100.0, 120.0, 140.0], variance=[4.0, 9.0, 16.0], name="scaling")(image)
    tensor = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 3)(scaled))
    model = keras.Model(image, tensor)
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)
    exported = rivals._exportable(model)
    assert type(exported.get_layer("scaling")).__name__ == "Rescaling"
    np.testing.assert_allclose(exported(images), model(images), rtol=1e-4, atol=1e-4)


def test_a_process_that_cannot_run_is_said(tmp_path: Path) -> None:
    process = TorchProcess("no_such_network", tmp_path / "missing.npy")
    with pytest.raises(RunError, match="torch: its process ended: "):
        process.seconds()
    process.close()


@pytest.mark.slow
def test_a_process_with_torch_measures_again_and_again(tmp_path: Path) -> None:
    for package in ("torch", "torchvision"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    np.save(tmp_path / "images.npy", np.zeros((3, 32, 32, 3), np.float32))
    process = TorchProcess("mobilenet_v2", tmp_path / "images.npy")
    assert min(process.seconds(), process.seconds()) > 0
    process.close()
