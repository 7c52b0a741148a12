"""From the registry to a Keras graph: pixels in, features and last map out. Imports Keras when called."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from lobule.errors import WeightsError
from lobule.features.backbones import STARTER, Backbone
from lobule.features.keras_runtime import import_keras
from lobule.features.spec import EncoderSpec
from lobule.features.starter_network import starter_network
from lobule.features.weights import ResolvedWeights, holds_only

__all__ = ["build", "build_spec"]

_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION: Final = (0.229, 0.224, 0.225)
_CAFFE_MEAN_RGB: Final = (123.68, 116.779, 103.939)
_LOADING_ERRORS: Final = (ValueError, KeyError, OSError, TypeError, IndexError, UserWarning)


def build_spec(spec: EncoderSpec) -> Any:
    """Return the Keras model of a specification; see `build`."""
    return build(spec.architecture, spec.weights, layers=spec.layers, seed=spec.seed)


def build(
    backbone: Backbone, weights: ResolvedWeights, *, layers: tuple[str, ...] = (), seed: int, dtype: str = "float32"
) -> Any:
    """Build the frozen graph of a backbone, with its preprocessing inside and without nested models.

    Args:
        backbone: what to build; must be the one that the weights were resolved to.
        weights: where its weights come from.
        layers: layers whose global averages are joined to the features; empty: the last map.
        seed: decides the filters of weights of kind `none`, whatever was built before.
        dtype: Keras' dtype policy of the layers, such as `mixed_float16` for fine-tuning on a GPU.

    Returns:
        A `keras.Model` with `trainable = False`: input "image" (n, S, S, 3) RGB 0..255 as float32; outputs features
        (n, D) and the deepest chosen map (n, h, w, C).

    Raises:
        ConfigError: a layer is not in the graph.
        WeightsError: the weights do not fit.
        MissingExtraError: Keras is not installed.
    """
    chosen, deepest = backbone.chosen(layers), backbone.map_layer(layers)
    keras = import_keras()
    with _float_channels_last(keras, dtype):
        image = keras.Input((backbone.input_size, backbone.input_size, 3), name="image", dtype="float32")
        stock = _with_weights(keras, backbone, weights, _scaled(keras, backbone, image), seed)
        tensors = _tensors(keras, backbone, stock)
        features = _features(keras, [tensors[layer] for layer in chosen], chosen)
        model = keras.Model(stock.inputs[0], [features, tensors[deepest]], name=backbone.name.replace("-", "_"))
    if weights.kind == "finetuned":
        _load(model, weights)
    model.trainable = False
    return model


@contextmanager
def _float_channels_last(keras: Any, dtype: str) -> Iterator[None]:
    """Build by the same conventions whatever the user's Keras settings are."""
    layout, policy = keras.config.image_data_format(), keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_image_data_format(layout)
        keras.config.set_dtype_policy(policy)


def _scaled(keras: Any, backbone: Backbone, image: Any) -> Any:
    """Apply the scaling of the weights; the order of channels of `caffe` is folded into the first convolution."""
    if backbone.scaling == "tf":
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(image)
    mean, deviation = [255 * value for value in _IMAGENET_MEAN], [255 * value for value in _IMAGENET_DEVIATION]
    if backbone.scaling == "caffe":
        mean, deviation = list(_CAFFE_MEAN_RGB), [1.0, 1.0, 1.0]
    variance = [value**2 for value in deviation]
    return keras.layers.Normalization(axis=-1, mean=mean, variance=variance, name="scaling")(image)


def _with_weights(keras: Any, backbone: Backbone, weights: ResolvedWeights, scaled: Any, seed: int) -> Any:
    application = (
        starter_network if backbone.name == STARTER.name else getattr(keras.applications, backbone.application)
    )
    stock = application(include_top=False, weights=None, input_tensor=scaled, **backbone.options)
    whole = stock
    if backbone.truncated:
        stock = keras.Model(stock.inputs[0], stock.get_layer(backbone.last_map).output)
    if weights.kind == "none":
        _draw_filters(keras, stock, seed)
    elif weights.path is not None and weights.kind != "finetuned":
        holds_all = backbone.truncated and not holds_only(weights.path, _weighted(stock))
        _load(whole if holds_all else stock, weights)
    if backbone.scaling == "caffe":
        _read_rgb(stock)
    return _flat(keras, stock)


def _weighted(model: Any) -> int:
    return sum(bool(layer.weights) for layer in model.layers)


def _load(model: Any, weights: ResolvedWeights) -> None:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Skipping nested container")  # layers left as they were drawn
            model.load_weights(str(weights.path))
    except _LOADING_ERRORS as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(
            f"--weights {weights.path}: does not fit --backbone {weights.backbone} ({reason}). Expected the weights of"
            " this backbone without its classifier (include_top=False), as .weights.h5 or Keras' own .h5."
        ) from None


def _draw_filters(keras: Any, model: Any, seed: int) -> None:
    """Draw every kernel from He's normal distribution; the other variables keep Keras' constants."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            if len(shape) < 2:
                continue
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            fan_in = math.prod(shape[:2] if depthwise else shape[:-1])
            variable.assign(generator.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(2 / fan_in)))


def _read_rgb(model: Any) -> None:
    """Turn the first kernel over its input channels, so that weights made for BGR read RGB."""
    first = next(layer for layer in model.layers if layer.weights)
    kernel = first.weights[0]
    kernel.assign(np.asarray(kernel.numpy())[:, :, ::-1, :])


def _flat(keras: Any, stock: Any) -> Any:
    """Return the same graph without nested models (ConvNeXt has some), with a stable name for a nameless last layer."""
    if not any(isinstance(layer, keras.Model) for layer in stock.layers):
        return stock
    last = stock.layers[-1]

    def copy(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return [type(inner).from_config(inner.get_config()) for inner in layer.layers]
        config = layer.get_config()
        return type(layer).from_config({**config, "name": "last_layernorm"} if layer is last else config)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(layer, list):
            return layer(*args, **kwargs)
        (tensor,) = args
        for inner in layer:
            tensor = inner(tensor)
        return tensor

    flat = keras.models.clone_model(stock, clone_function=copy, call_function=call)
    flat.set_weights(stock.get_weights())
    return flat


def _tensors(keras: Any, backbone: Backbone, model: Any) -> dict[str, Any]:
    tensors = {layer: model.get_layer(layer).output for layer in backbone.layers}
    wrong = {layer: tensor.shape for layer, tensor in tensors.items() if tensor.shape[-1] != backbone.layers[layer]}
    if wrong:
        raise WeightsError(f"--backbone {backbone.name}: this version of Keras ({keras.__version__}) gives {wrong}.")
    return tensors


def _features(keras: Any, maps: list[Any], names: tuple[str, ...]) -> Any:
    if len(maps) == 1:
        return keras.layers.GlobalAveragePooling2D(name="features")(maps[0])
    averages = [
        keras.layers.GlobalAveragePooling2D(name=f"features_{name}")(tensor)
        for name, tensor in zip(names, maps, strict=True)
    ]
    return keras.layers.Concatenate(name="features")(averages)
