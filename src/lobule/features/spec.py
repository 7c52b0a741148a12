"""Everything that decides the features, in one value with one key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from lobule.config import FeatureSettings
from lobule.errors import ConfigError
from lobule.features.backbones import Backbone
from lobule.features.backbones import backbone as backbone_named
from lobule.features.engines import Precision
from lobule.features.keras_runtime import sees_gpu
from lobule.features.weights import ResolvedWeights, resolve_weights
from lobule.provenance import digest_of_json

__all__ = ["EncoderSpec", "EngineName", "encoder_spec", "engine_for"]

EngineName = Literal["keras", "openvino"]

_GRAPH_VERSION: Final = 1
"""Raised when `build` changes what it computes: graphs and features of older versions are then left alone."""


@dataclass(frozen=True)
class EncoderSpec:
    """How an image becomes features.

    Attributes:
        backbone: name in the registry.
        weights: weights that fit it.
        layers: layers whose averages are the features, in this order; empty: the last map.
        seed: decides random filters; of no effect on pretrained weights.
        engine: what runs the graph.
        precision: of the arithmetic.
        calibration: int8: digest of everything that decides the quantised graph; otherwise "".
    """

    backbone: str
    weights: ResolvedWeights
    layers: tuple[str, ...] = ()
    seed: int = 0
    engine: EngineName = "openvino"
    precision: Precision = "f32"
    calibration: str = ""

    @property
    def architecture(self) -> Backbone:
        """The entry in the registry."""
        return backbone_named(self.backbone)

    @property
    def feature_size(self) -> int:
        """Length of a feature vector."""
        return self.architecture.feature_size(self.layers)

    @property
    def layer_slices(self) -> dict[str, slice]:
        """Which part of a feature vector comes from which layer."""
        return self.architecture.layer_slices(self.layers)

    @property
    def map_slice(self) -> slice:
        """Part of a feature vector that is the average of the map an engine returns."""
        return self.layer_slices[self.architecture.map_layer(self.layers)]

    @property
    def graph_key(self) -> str:
        """Digest of everything that decides the graph, whatever runs it (32 hexadecimal digits)."""
        architecture = self.architecture
        return digest_of_json(
            {
                "version": _GRAPH_VERSION,
                "backbone": self.backbone,
                "preprocessing": architecture.preprocessing,
                "weights": self.weights.digest,
                "weights_layout": "graph" if self.weights.kind == "finetuned" else "application",
                "layers": architecture.chosen(self.layers),
            }
        )[:32]

    @property
    def key(self) -> str:
        """Digest of everything that decides the features: graph, engine and precision (32 hexadecimal digits)."""
        calibrated = {"calibration": self.calibration} if self.calibration else {}
        return digest_of_json(
            {"graph": self.graph_key, "engine": self.engine, "precision": self.precision, **calibrated}
        )[:32]

    @property
    def in_single_precision(self) -> EncoderSpec:
        """The same in single precision."""
        return replace(self, precision="f32", calibration="")

    def to_json(self) -> dict[str, Any]:
        """Return the specification as a JSON value that `from_json` reads back to an equal object."""
        path = self.weights.path
        return {
            "backbone": self.backbone,
            "weights": {**vars(self.weights), "path": None if path is None else str(path)},
            "layers": list(self.layers),
            "seed": self.seed,
            "engine": self.engine,
            "precision": self.precision,
            "calibration": self.calibration,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EncoderSpec:
        """Return the specification that `to_json` wrote."""
        path = value["weights"]["path"]
        weights = ResolvedWeights(**{**value["weights"], "path": None if path is None else Path(path)})
        return cls(**{**value, "weights": weights, "layers": tuple(value["layers"])})


def encoder_spec(settings: FeatureSettings, *, seed: int) -> EncoderSpec:
    """Resolve settings: weights are found or fetched, `auto` becomes an engine, names are checked.

    The precision is single: what else is possible shows with images alone, see `lobule.features.precision.settle`.

    Raises:
        ConfigError: the backbone or a layer is unknown.
        WeightsError: the weights cannot be had.
    """
    asked = backbone_named(settings.backbone)
    weights = resolve_weights(settings.weights, asked, seed=seed)
    try:
        backbone_named(weights.backbone).chosen(settings.layers)
    except ConfigError as error:
        raise ConfigError(f"{error} {weights.note}".strip()) from None
    return EncoderSpec(
        backbone=weights.backbone,
        weights=weights,
        layers=settings.layers,
        seed=seed,
        engine=engine_for(settings.engine),
    )


def engine_for(choice: Literal["auto", "keras", "openvino"]) -> EngineName:
    """Return the engine of a setting; auto: Keras where its backend has a GPU, else OpenVINO."""
    if choice != "auto":
        return choice
    return "keras" if sees_gpu() else "openvino"
