"""A backbone of eight channels whose graph is made here, so that most tests need no Keras."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lobule.config import FeatureSettings
from lobule.data.images import decode, pixel_sha256
from lobule.data.manifest import Manifest
from lobule.features.backbones import BACKBONES, Backbone, Download
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.provenance import cache_folder, digest_of_file

TINY = Backbone(
    name="tiny",
    application="Tiny",
    scaling="tf",
    layers={"last": 8},
    blocks=(("last",),),
    download=Download("http://127.0.0.1:9/tiny_notop.h5", "0" * 32),
    input_size=32,
)


def write_tiny_graph(xml: Path, *, outputs: tuple[str, ...] = ("features", "map")) -> None:
    import openvino as ov
    from openvino import opset13 as ops

    image = ops.parameter([-1, TINY.input_size, TINY.input_size, 3], ov.Type.f32, name="image")
    image.output(0).get_tensor().set_names({"image"})
    kernel = np.random.default_rng(1).standard_normal((8, 3, 5, 5)).astype(np.float32)
    planes = ops.transpose(image, ops.constant([0, 3, 1, 2]))
    planes = ops.relu(ops.convolution(planes, ops.constant(kernel), [4, 4], [2, 2], [2, 2], [1, 1]))
    last = ops.transpose(planes, ops.constant([0, 2, 3, 1]))
    features = ops.reduce_mean(last, ops.constant([1, 2]), False)
    results = []
    for name, node in zip(outputs, (features, last), strict=False):
        node.output(0).get_tensor().set_names({name})
        results.append(ops.result(node))
    ov.save_model(ov.Model(results, [image], "tiny"), xml, compress_to_fp16=False)


@pytest.fixture
def tiny_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FeatureSettings:
    """Return settings of the tiny backbone, with a cache of the test's own that holds its graph."""
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(BACKBONES, "tiny", TINY)
    settings = FeatureSettings(
        backbone="tiny", weights="none", engine="openvino", views=("identity", "flip_horizontal")
    )
    folder = cache_folder() / "graphs" / encoder_spec(settings, seed=0).graph_key
    folder.mkdir(parents=True)
    write_tiny_graph(folder / "backbone.xml")
    digests = {name: digest_of_file(folder / name) for name in ("backbone.xml", "backbone.bin")}
    (folder / "parity.json").write_text(json.dumps({"files": digests}))
    return settings


@pytest.fixture
def tiny_spec(tiny_settings: FeatureSettings) -> EncoderSpec:
    return encoder_spec(tiny_settings, seed=0)


@pytest.fixture
def manifest_of(tmp_path: Path) -> Callable[[int], Manifest]:
    """Return a function that writes images of noise (the last one equal to the first) and describes them."""

    def make(count: int) -> Manifest:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        rows = []
        for number in range(count):
            path, seed = folder / f"{number:03d}.png", number % max(1, count - 1)
            Image.fromarray(noise(40 + seed % 5, 50, seed=seed)).save(path)
            pixels = decode(path)
            rows.append(
                {
                    "image_id": path.stem,
                    "path": path.name,
                    "pixel_sha256": pixel_sha256(pixels),
                    "width": pixels.shape[1],
                    "height": pixels.shape[0],
                    "label": "benign",
                    "patient_id": path.stem,
                    "case_id": path.stem,
                }
            )
        return Manifest.from_rows(rows, root=folder)

    return make


def noise(height: int, width: int, *, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
