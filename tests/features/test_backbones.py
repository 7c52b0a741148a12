from __future__ import annotations

import pytest

from lobule.errors import ConfigError
from lobule.features.backbones import BACKBONES, backbone


def test_the_registry_holds_what_the_manual_promises() -> None:
    assert set(BACKBONES) == {
        "vgg16",
        "vgg16_blocks1to3",
        "vgg19",
        "resnet50",
        "densenet121",
        "mobilenet_v2",
        "efficientnetv2-b0",
        "convnext_tiny",
    }
    assert {each.input_size for each in BACKBONES.values()} == {224}


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"--backbone vgg17.*vgg16, vgg16_blocks1to3"):
        backbone("vgg17")


def test_an_unknown_layer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"block9_pool unknown; vgg16 has: block1_conv1.*block5_pool"):
        backbone("vgg16").chosen(("block3_pool", "block9_pool"))


def test_a_layer_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="twice"):
        backbone("vgg16").chosen(("block3_pool", "block3_pool"))


def test_without_layers_the_features_are_the_last_map() -> None:
    vgg16 = backbone("vgg16")
    assert vgg16.chosen() == ("block5_pool",)
    assert vgg16.feature_size() == 512
    assert vgg16.layer_slices() == {"block5_pool": slice(0, 512)}


def test_layers_are_joined_in_the_order_asked_for() -> None:
    layers = ("block5_pool", "block3_pool")
    vgg16 = backbone("vgg16")
    assert vgg16.feature_size(layers) == 768
    assert vgg16.layer_slices(layers) == {"block5_pool": slice(0, 512), "block3_pool": slice(512, 768)}
    assert vgg16.map_layer(layers) == "block5_pool"


def test_the_truncated_backbone_ends_at_its_third_block() -> None:
    truncated = backbone("vgg16_blocks1to3")
    assert (truncated.last_map, truncated.feature_size(), len(truncated.blocks)) == ("block3_pool", 256, 3)
