"""A backbone of eight channels whose graph is made here, so that most tests need no Keras, and a `lobule` with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from lobule.config import FeatureSettings
from lobule.features.backbones import BACKBONES, Backbone, Download
from lobule.features.spec import encoder_spec
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
SETTINGS = {"backbone": "tiny", "weights": "none", "engine": "openvino", "views": ("identity", "flip_horizontal")}


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


@contextmanager
def tiny_backbone() -> Iterator[None]:
    """Let the registry know the tiny backbone for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast(dict[str, Backbone], BACKBONES), TINY.name, TINY)
        yield


def install_tiny_graph(*, seed: int = 0) -> None:
    """Put the graph of the tiny backbone (whose key depends on the seed) into the cache; it must be registered."""
    spec = encoder_spec(FeatureSettings.model_validate(SETTINGS), seed=seed)
    folder = cache_folder() / "graphs" / spec.graph_key
    folder.mkdir(parents=True, exist_ok=True)
    write_tiny_graph(folder / "backbone.xml")
    digests = {name: digest_of_file(folder / name) for name in ("backbone.xml", "backbone.bin")}
    (folder / "parity.json").write_text(json.dumps({"files": digests}))


if __name__ == "__main__":
    from lobule.cli.app import main

    with tiny_backbone():
        main(sys.argv[1:])
