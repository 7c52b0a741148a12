from __future__ import annotations

import pytest

from lobule.errors import WeightsError
from lobule.features.backbones import BACKBONES, STARTER, STARTER_CHANNELS, backbone
from lobule.features.weights import resolve_weights


def test_it_is_known_by_name_but_not_offered() -> None:
    assert backbone("starter") is STARTER
    assert "starter" not in BACKBONES


def test_its_layers_are_those_of_its_channels() -> None:
    assert STARTER.last_map == "last"
    assert STARTER.feature_size() == STARTER_CHANNELS["last"]
    assert STARTER.layers["stages"] == STARTER_CHANNELS["texture"] + STARTER_CHANNELS["cells"]


def test_there_are_no_weights_of_it_to_fetch() -> None:
    with pytest.raises(WeightsError, match=r"imagenet.*starter.*allowed: none"):
        resolve_weights("imagenet", STARTER, seed=0)
