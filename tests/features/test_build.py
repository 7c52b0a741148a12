from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lobule.errors import ConfigError, WeightsError
from lobule.features.backbones import BACKBONES, Backbone, backbone
from lobule.features.build import build
from lobule.features.keras_runtime import import_keras
from lobule.features.weights import ResolvedWeights, finetuned_weights, resolve_weights
from tests.features.conftest import noise

pytestmark = [
    pytest.mark.slow,
    pytest.mark.keras,
    # Keras' TensorFlow backend calls numpy.array on variables that predate the argument `copy`.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

SIDE = 64
MODULES = {
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "resnet50": "resnet",
    "densenet121": "densenet",
    "mobilenet_v2": "mobilenet_v2",
    "efficientnetv2-b0": "efficientnet_v2",
    "convnext_tiny": "convnext",
}
QUICK = ("vgg16", "mobilenet_v2")


def _by_cost(names: list[str]) -> list[Any]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


def _small(name: str) -> Backbone:
    return replace(backbone(name), input_size=SIDE)


def _random(name: str, **arguments: Any) -> Any:
    small = _small(name)
    seed = arguments.setdefault("seed", 0)
    return build(small, resolve_weights("none", small, seed=seed), **arguments)


def _images() -> NDArray[np.float32]:
    return np.stack([noise(SIDE, SIDE, seed=seed) for seed in range(2)]).astype(np.float32)


def _run(model: Any, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [np.asarray(output) for output in model(images, training=False)]


@pytest.mark.parametrize("name", _by_cost(list(MODULES)))
def test_the_graph_is_the_stock_application_after_its_own_preprocessing(name: str) -> None:
    keras = import_keras()
    application = backbone(name).application
    stock = getattr(keras.applications, application)(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    model = _random(name)
    weights = model.get_weights()
    if backbone(name).scaling == "caffe":
        weights[0] = weights[0][:, :, ::-1, :]
    stock.set_weights(weights)
    preprocess = getattr(keras.applications, MODULES[name]).preprocess_input
    expected = np.asarray(stock(preprocess(_images().copy()), training=False))
    features, last_map = _run(model, _images())
    np.testing.assert_allclose(last_map, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(features, last_map.mean((1, 2)), rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", _by_cost(list(BACKBONES)))
def test_a_backbone_is_flat_frozen_and_as_the_registry_describes_it(name: str) -> None:
    keras, entry = import_keras(), backbone(name)
    model = build(entry, resolve_weights("none", entry, seed=0), layers=tuple(entry.layers), seed=0)
    assert [layer.name for layer in model.layers if isinstance(layer, keras.Model | keras.layers.Lambda)] == []
    assert model.trainable_variables == []
    assert model.input.shape == (None, 224, 224, 3)
    assert model.outputs[0].shape == (None, sum(entry.layers.values()))
    assert model.outputs[1].shape[-1] == entry.layers[entry.last_map]
    blocks = [
        [number for number, prefixes in enumerate(entry.blocks) if layer.name.startswith(prefixes)]
        for layer in model.layers
        if layer.weights
    ]
    assert all(len(found) == 1 for found in blocks)
    assert {found[0] for found in blocks} == set(range(len(entry.blocks)))


def test_the_truncated_backbone_is_the_beginning_of_the_whole_one() -> None:
    whole = _random("vgg16", layers=("block3_pool",))
    truncated = _random("vgg16_blocks1to3")
    truncated.set_weights(whole.get_weights())
    for ours, theirs in zip(_run(truncated, _images()), _run(whole, _images()), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_several_layers_give_their_averages_side_by_side_and_the_deepest_map() -> None:
    layers = ("block_12_add", "block_5_add")
    features, values = _run(_random("mobilenet_v2", layers=layers), _images())
    slices = backbone("mobilenet_v2").layer_slices(layers)
    np.testing.assert_allclose(features[:, slices["block_12_add"]], values.mean((1, 2)), rtol=1e-4, atol=1e-5)
    shallow, _ = _run(_random("mobilenet_v2", layers=("block_5_add",)), _images())
    np.testing.assert_allclose(features[:, slices["block_5_add"]], shallow, rtol=1e-4, atol=1e-5)


def test_an_unknown_layer_is_refused_before_building() -> None:
    with pytest.raises(ConfigError, match="vgg16 has"):
        _random("vgg16", layers=("block5_conv9",))


def test_the_seed_alone_decides_random_filters_whatever_was_built_before() -> None:
    first = _random("vgg16_blocks1to3").get_weights()
    _random("mobilenet_v2")
    again = _random("vgg16_blocks1to3").get_weights()
    other = _random("vgg16_blocks1to3", seed=1).get_weights()
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_the_users_keras_settings_are_left_alone_and_do_not_matter() -> None:
    keras = import_keras()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = _random("vgg16_blocks1to3")
        assert keras.config.image_data_format() == "channels_first"
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_dtype_policy("float32")
    assert model.outputs[1].shape == (None, SIDE // 8, SIDE // 8, 256)
    assert model.outputs[0].dtype == "float32"


def test_finetuned_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    model, small = _random("vgg16_blocks1to3", seed=3), _small("vgg16_blocks1to3")
    model.save_weights(str(tmp_path / "tuned.weights.h5"))
    again = build(small, finetuned_weights(tmp_path / "tuned.weights.h5", small), seed=0)
    np.testing.assert_array_equal(_run(again, _images())[0], _run(model, _images())[0])


def test_weights_of_the_application_are_read_in_its_own_order_of_channels(tmp_path: Path) -> None:
    keras, small = import_keras(), _small("vgg16")
    stock = keras.applications.VGG16(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    path = tmp_path / "vgg16.weights.h5"
    stock.save_weights(str(path))
    model = build(small, resolve_weights(str(path), small, seed=0), seed=0)
    np.testing.assert_array_equal(model.get_weights()[0], stock.get_weights()[0][:, :, ::-1, :])
    truncated = _small("vgg16_blocks1to3")
    cut = build(truncated, resolve_weights(str(path), truncated, seed=0), seed=0)
    assert all(np.array_equal(one, two) for one, two in zip(cut.get_weights(), model.get_weights(), strict=False))


def test_weights_of_another_backbone_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "cut.weights.h5"
    _random("vgg16_blocks1to3").save_weights(str(path))
    weights = ResolvedWeights("file", path, "", "mobilenet_v2")
    with pytest.raises(WeightsError, match=r"does not fit --backbone mobilenet_v2"):
        build(_small("mobilenet_v2"), weights, seed=0)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"does not fit --backbone mobilenet_v2"):
        build(_small("mobilenet_v2"), weights, seed=0)


@pytest.mark.parametrize("name", _by_cost(["mobilenet_v2", "convnext_tiny"]))
def test_the_model_reloads_in_safe_mode(name: str, tmp_path: Path) -> None:
    keras, model = import_keras(), _random(name)
    model.save(tmp_path / "backbone.keras")
    again = keras.saving.load_model(tmp_path / "backbone.keras", safe_mode=True)
    np.testing.assert_array_equal(_run(again, _images())[0], _run(model, _images())[0])


@pytest.mark.shared
def test_the_published_tensors_of_vgg16_arrive_unchanged(shared: Path) -> None:
    import h5py

    path = shared / "weights" / "vgg16_imagenet_block1_to_block3.weights.h5"
    small = _small("vgg16_blocks1to3")
    weights = build(small, resolve_weights(str(path), small, seed=0), seed=0).get_weights()
    with h5py.File(path) as file:
        np.testing.assert_array_equal(weights[0][:, :, ::-1, :], file["layers/conv2d/vars/0"][()])
        np.testing.assert_array_equal(weights[-1], file["layers/conv2d_6/vars/1"][()])
