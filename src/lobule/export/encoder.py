"""Which Keras weights a bundle was made from: found again, and proven by their digest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lobule.config import Config, load_config
from lobule.errors import WeightsError
from lobule.features.backbones import Backbone, backbone
from lobule.features.spec import EncoderSpec
from lobule.features.weights import ResolvedWeights, finetuned_weights, resolve_weights
from lobule.model.finetune import WEIGHTS_FILE

if TYPE_CHECKING:
    from lobule.model.bundle import Bundle

__all__ = ["encoder_of"]


def encoder_of(bundle: Bundle, *, weights: Path | None = None) -> EncoderSpec:
    """Return the backbone that a bundle's graph was written from.

    A bundle carries its backbone as an OpenVINO graph only. The Keras weights are those that its run used: Keras' own
    download, the file that the run's settings name, the seed of random filters, or the run's fine-tuned weights.

    Args:
        bundle: the bundle; in a run folder it knows its run.
        weights: the weights file, where it is no longer where the run found it, or where the bundle stands alone.

    Raises:
        WeightsError: the weights cannot be found, or are others than those of the bundle.
    """
    record = bundle.record.backbone
    kind, _, digest = record.weights.partition(" ")
    run = _run_of(bundle)
    resolved = _resolve(kind, backbone(record.name), weights, run)
    if not digest or not resolved.digest.startswith(digest):
        raise WeightsError(
            f"--weights {resolved.path or resolved.kind}: has the digest {resolved.digest[:16]}…, {bundle.folder} was "
            f"made from {record.weights}; name the file that it was made from."
        )
    return EncoderSpec(backbone=record.name, weights=resolved, layers=record.layers, seed=_seed_of(run))


def _resolve(kind: str, architecture: Backbone, weights: Path | None, run: Path | None) -> ResolvedWeights:
    if kind == "finetuned":
        if weights is None and run is None:
            raise _standing_alone(f"the fine-tuned weights (checkpoints/{WEIGHTS_FILE} of its run folder)")
        return finetuned_weights(weights or Path(run or "") / "checkpoints" / WEIGHTS_FILE, architecture)
    if weights is not None:
        return resolve_weights(str(weights), architecture, seed=0)
    if kind == "imagenet":
        return resolve_weights("imagenet", architecture, seed=0)
    if run is None:
        raise _standing_alone("the weights file" if kind == "file" else "the seed of its random filters")
    config = _config_of(run)
    return resolve_weights(config.features.weights, architecture, seed=config.seed)


def _run_of(bundle: Bundle) -> Path | None:
    """Return the run folder that a bundle lies in; None where it stands alone."""
    run = bundle.folder.resolve().parent
    return run if (run / "config.yaml").is_file() else None


def _config_of(run: Path) -> Config:
    return load_config(run / "config.yaml")


def _seed_of(run: Path | None) -> int:
    return _config_of(run).seed if run else 0


def _standing_alone(needed: str) -> WeightsError:
    return WeightsError(
        f"BUNDLE: holds its backbone as an OpenVINO graph only; for Keras, {needed} is needed too. Name the run folder "
        "instead of the bundle, or the weights with --weights PATH."
    )
