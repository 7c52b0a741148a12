"""The registry of backbones: what each is called, how it is fed, where it can be tapped; no framework needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lobule.errors import ConfigError

__all__ = ["BACKBONES", "STARTER", "STARTER_CHANNELS", "Backbone", "Download", "backbone"]

STARTER_CHANNELS: Final[Mapping[str, int]] = {"texture": 96, "bottleneck": 48, "cells": 256, "last": 512}
"""Channels of the convolutions of the starter model's network, first to last."""

_STORAGE: Final = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Download:
    """Where Keras publishes the ImageNet weights (without the classifier) of a backbone.

    Attributes:
        url: the file; its last part is the name under which Keras keeps it.
        digest: published MD5 or SHA-256; None where Keras publishes none.
    """

    url: str
    digest: str | None

    @property
    def file(self) -> str:
        """Name of the file in Keras' model cache."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Backbone:
    """A convolutional network of `keras.applications`, or the starter model's, without its classifier.

    Attributes:
        name: name in the registry and in settings.
        application: class in `keras.applications`.
        scaling: how the weights expect pixels: `caffe` (BGR, channel means subtracted), `tf` (-1..1) or
            `torch` (0..1, then ImageNet mean and standard deviation).
        layers: layers that features may be taken from, shallow to deep, with their number of channels;
            the last one is the last map.
        blocks: parts that fine-tuning unfreezes, first to last; each a tuple of prefixes of layer names.
        download: ImageNet weights.
        options: further arguments of the application.
        truncated: the graph ends at the last of `layers`, before the application's own end.
        input_size: side of the square input in pixels.
        about: sentences for a model card on where the filters come from; "" where the name says it.
    """

    name: str
    application: str
    scaling: Literal["caffe", "tf", "torch"]
    layers: Mapping[str, int]
    blocks: tuple[tuple[str, ...], ...]
    download: Download
    options: Mapping[str, Any] = field(default_factory=dict)
    truncated: bool = False
    input_size: int = 224
    about: str = ""

    @property
    def last_map(self) -> str:
        """Name of the layer that gives the last map."""
        return list(self.layers)[-1]

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What happens to a decoded RGB image before the first convolution, as a JSON value."""
        return {"size": self.input_size, "resize": "squash, bicubic", "colour": "RGB 0..255", "scaling": self.scaling}

    def chosen(self, layers: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the layers that features are taken from; none named means the last map.

        Raises:
            ConfigError: a layer is unknown or named twice.
        """
        unknown = [layer for layer in layers if layer not in self.layers]
        if unknown or len(set(layers)) < len(layers):
            raise ConfigError(
                f"features.layers: {', '.join(unknown or layers)} {'unknown' if unknown else 'names a layer twice'};"
                f" {self.name} has: {', '.join(self.layers)}."
            )
        return layers or (self.last_map,)

    def feature_size(self, layers: tuple[str, ...] = ()) -> int:
        """Return the length of the feature vector: the channels of the chosen layers, added."""
        return sum(self.layers[layer] for layer in self.chosen(layers))

    def layer_slices(self, layers: tuple[str, ...] = ()) -> dict[str, slice]:
        """Return which part of the feature vector comes from which layer."""
        slices, start = {}, 0
        for layer in self.chosen(layers):
            slices[layer] = slice(start, start + self.layers[layer])
            start += self.layers[layer]
        return slices

    def map_layer(self, layers: tuple[str, ...] = ()) -> str:
        """Return the layer whose map stands beside the features: the deepest chosen one."""
        return max(self.chosen(layers), key=list(self.layers).index)


def backbone(name: str) -> Backbone:
    """Return a backbone by name, or that of the starter model.

    Raises:
        ConfigError: the name is not in the registry.
    """
    if name == STARTER.name:
        return STARTER
    if name not in BACKBONES:
        raise ConfigError(f"--backbone {name}: unknown; allowed: {', '.join(BACKBONES)}.")
    return BACKBONES[name]


def _numbered(template: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(template.format(number) for number in range(first, last + 1))


def _vgg_layers(convolutions: tuple[int, ...]) -> dict[str, int]:
    return {
        f"block{block}_{part}": min(512, 32 * 2**block)
        for block, count in enumerate(convolutions, 1)
        for part in (*_numbered("conv{}", 1, count), "pool")
    }


def _vgg(name: str, application: str, convolutions: tuple[int, ...], download: Download) -> Backbone:
    return Backbone(
        name=name,
        application=application,
        scaling="caffe",
        layers=_vgg_layers(convolutions),
        blocks=tuple((f"block{number}_",) for number in range(1, len(convolutions) + 1)),
        download=download,
        truncated=len(convolutions) < 5,
    )


_VGG16_DOWNLOAD: Final = Download(
    f"{_STORAGE}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"
)
_VGG19_DOWNLOAD: Final = Download(
    f"{_STORAGE}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6"
)
_CONVNEXT: Final = "convnext_tiny"

_ALL: Final = (
    _vgg("vgg16", "VGG16", (2, 2, 3, 3, 3), _VGG16_DOWNLOAD),
    _vgg("vgg16_blocks1to3", "VGG16", (2, 2, 3), _VGG16_DOWNLOAD),
    _vgg("vgg19", "VGG19", (2, 2, 4, 4, 4), _VGG19_DOWNLOAD),
    Backbone(
        name="resnet50",
        application="ResNet50",
        scaling="caffe",
        layers={"conv2_block3_out": 256, "conv3_block4_out": 512, "conv4_block6_out": 1024, "conv5_block3_out": 2048},
        blocks=tuple((f"conv{number}_",) for number in range(1, 6)),
        download=Download(
            f"{_STORAGE}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "4d473c1dd8becc155b73f8504c6f6626",
        ),
    ),
    Backbone(
        name="densenet121",
        application="DenseNet121",
        scaling="torch",
        layers={"conv2_block6_concat": 256, "conv3_block12_concat": 512, "conv4_block24_concat": 1024, "relu": 1024},
        blocks=(
            ("conv1_",),
            ("conv2_", "pool2_"),
            ("conv3_", "pool3_"),
            ("conv4_", "pool4_"),
            ("conv5_", "bn"),
        ),
        download=Download(
            f"{_STORAGE}/densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "30ee3e1110167f948a6b9946edeeb738",
        ),
    ),
    Backbone(
        name="mobilenet_v2",
        application="MobileNetV2",
        scaling="tf",
        layers={"block_2_add": 24, "block_5_add": 32, "block_12_add": 96, "block_15_add": 160, "out_relu": 1280},
        blocks=(
            ("Conv1", "bn_Conv1", "expanded_conv_"),
            _numbered("block_{}_", 1, 2),
            _numbered("block_{}_", 3, 5),
            _numbered("block_{}_", 6, 12),
            (*_numbered("block_{}_", 13, 16), "Conv_1"),
        ),
        download=Download(
            f"{_STORAGE}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None
        ),
    ),
    Backbone(
        name="efficientnetv2-b0",
        application="EfficientNetV2B0",
        scaling="torch",
        layers={"block2b_add": 32, "block3b_add": 48, "block5e_add": 112, "block6h_add": 192, "top_activation": 1280},
        blocks=(("stem_", "block1"), ("block2",), ("block3",), ("block4", "block5"), ("block6", "top_")),
        download=Download(f"{_STORAGE}/efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
        options={"include_preprocessing": False},
    ),
    Backbone(
        name=_CONVNEXT,
        application="ConvNeXtTiny",
        scaling="torch",
        layers={
            "convnext_tiny_stem_layernorm": 96,
            "convnext_tiny_downsampling_conv_0": 192,
            "convnext_tiny_downsampling_conv_1": 384,
            "convnext_tiny_downsampling_conv_2": 768,
            "last_layernorm": 768,
        },
        blocks=(
            ("convnext_tiny_stem_", "convnext_tiny_stage_0_"),
            *(
                (f"{_CONVNEXT}_downsampling_layernorm_{k}", f"{_CONVNEXT}_downsampling_conv_{k}", stage)
                for k, stage in enumerate(_numbered(f"{_CONVNEXT}_stage_{{}}_", 1, 2))
            ),
            (
                f"{_CONVNEXT}_downsampling_layernorm_2",
                f"{_CONVNEXT}_downsampling_conv_2",
                f"{_CONVNEXT}_stage_3_",
                "last_layernorm",
            ),
        ),
        download=Download(
            f"{_STORAGE}/convnext/convnext_tiny_notop.h5",
            "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        ),
        options={"include_preprocessing": False},
    ),
)
BACKBONES: Final[Mapping[str, Backbone]] = {each.name: each for each in _ALL}
STARTER: Final = Backbone(
    name="starter",
    application="StarterNetwork",
    scaling="tf",
    layers={"stages": STARTER_CHANNELS["texture"] + STARTER_CHANNELS["cells"], "last": STARTER_CHANNELS["last"]},
    blocks=(("texture",), ("bottleneck", "cells"), ("last",)),
    download=Download("", None),
    about=(
        "This backbone has two stages of filters, found without labels in patches of the training images, and one "
        "linear map, fitted by ridge regression to what a block of an ImageNet network (DenseNet121, not in this "
        "folder) sees in the same images. For the numbers below it was made anew for every fold, from nothing but the "
        "images that the fold trains on."
    ),
)
"""The backbone of the starter model; not in the registry, as its weights come from nowhere but `lobule.starter`."""
