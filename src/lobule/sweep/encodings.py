"""The features of every configuration of a space: each backbone with each of its layers, encoded once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from lobule.features.extract import Features, extract_spec
from lobule.features.precision import settle
from lobule.features.spec import encoder_spec
from lobule.progress import Progress, silent
from lobule.sweep.space import Options, Space, configured_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lobule.config import Config, FeatureSettings
    from lobule.data.manifest import Manifest
    from lobule.features.spec import EncoderSpec

__all__ = ["Encodings", "encode_space", "encoders_of"]

_Key = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Encodings:
    """Features in all views of a space; by backbone, weights and layers."""

    known: Mapping[_Key, Features]

    def of(self, config: Config) -> Features:
        """Return the features of all images by a configuration; the identity view is the first."""
        features = self.known[_key(config.features)]
        views = tuple(sorted(config.features.views, key=lambda view: view != "identity"))
        rows = [features.views.index(view) for view in views]
        return Features(features.values[rows], views, features.spec)


def encoders_of(space: Space, config: Config) -> dict[_Key, EncoderSpec]:
    """Resolve every backbone of a space, and that of the given settings; weights are found or fetched.

    Raises:
        ConfigError: a backbone or a layer is unknown.
        WeightsError: weights cannot be had.
    """
    settings = [config.features, *(each.features for each in _feature_configs(space, config))]
    return {_key(each): encoder_spec(each, seed=config.seed) for each in settings}


def encode_space(
    manifest: Manifest,
    seen: Manifest,
    encoders: Mapping[_Key, EncoderSpec],
    space: Space,
    *,
    config: Config,
    progress: Progress = silent,
) -> Encodings:
    """Encode all images by every backbone of a space, in all of its views; what the feature store holds is read.

    Args:
        manifest: n images.
        seen: images that a precision may be settled on.
        encoders: as from `encoders_of`.
        space: what is searched.
        config: the given settings.
        progress: told about every stage.
    """
    views = _views(space, config)
    known = {}
    for key, spec in encoders.items():
        settled = settle(spec, config.features, seen, seed=config.seed, progress=progress)
        known[key] = extract_spec(manifest, settled, views=views, progress=progress)
    return Encodings(known)


def _views(space: Space, config: Config) -> tuple[str, ...]:
    parameter = space.parameters.get("features.views")
    choices = parameter.values if isinstance(parameter, Options) else ()
    asked = [*config.features.views, *(view for choice in choices for view in choice)]
    return tuple(dict.fromkeys(["identity", *asked]))


def _feature_configs(space: Space, config: Config) -> list[Config]:
    backbones = space.parameters["features.backbone"]
    assert isinstance(backbones, Options)
    found = []
    for name in backbones.values:
        options = {key: of_each[name].values for key, of_each in space.by_backbone.items()}
        for chosen in product(*options.values()):
            drawn = {"features.backbone": name, **dict(zip(options, chosen, strict=True))}
            found.append(configured_by(config, drawn))
    return found


def _key(settings: FeatureSettings) -> _Key:
    return settings.backbone, settings.weights, settings.layers
