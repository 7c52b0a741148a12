"""The whole job to look at: synthetic tissue (or a folder), training, report, prediction and heat maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lobule.config import Config, load_config
from lobule.errors import WeightsError
from lobule.features.backbones import backbone
from lobule.features.weights import published_file, resolve_weights
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lobule.pipeline import Run

__all__ = ["Demo", "run_demo"]

_PREDICTED = 6


@dataclass(frozen=True)
class Demo:
    """What a demonstration leaves.

    Attributes:
        data: the images that were trained on.
        run: the finished run.
        predictions: predictions of a few images, as `lobule predict` makes them.
        heatmaps: folder of their heat maps.
        weights: `imagenet`, or `none` for seeded random filters.
    """

    data: Path
    run: Run
    predictions: Path
    heatmaps: Path
    weights: str


def run_demo(
    out: Path,
    *,
    data: Path | None = None,
    reading: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Demo:
    """Do the whole job: train with VGG16, report, predict a few images with heat maps.

    Args:
        out: folder for everything; the same call resumes.
        data: folder of images; None: synthetic tissue is drawn into `out`, and no network is used.
        reading: how the folder is read, such as `{"case_pattern": "patient[0-9]+"}`: settings of the group `data`.
        seed: seed of the tissue and of the run.
        progress: told about every stage.

    Raises:
        LobuleError: as `lobule.pipeline.train`.
    """
    from lobule.data.phantom import write_phantom
    from lobule.inference.batch import predict_paths
    from lobule.inference.predictor import Predictor
    from lobule.pipeline import train

    folder = data or write_phantom(out / "synthetic", seed=seed, progress=progress).folder
    config = _settings(seed, reading or {}, may_download=data is not None)
    run = train(folder, out / "run", config=config, command="lobule demo", progress=progress)
    predictions, heatmaps = out / "prediction" / "predictions.csv", out / "prediction" / "heatmaps"
    chosen = _a_few(run.folder)
    predict_paths(chosen, Predictor(run.folder), predictions, heatmaps=heatmaps, progress=progress)
    return Demo(folder, run, predictions, heatmaps, config.features.weights)


def _settings(seed: int, reading: Mapping[str, Any], *, may_download: bool) -> Config:
    """Return VGG16 with one view; random filters where its weights are neither here nor to be had."""
    vgg16 = backbone("vgg16")
    weights = "imagenet"
    try:
        if not may_download and not published_file(vgg16).is_file():
            raise WeightsError("not on this machine")
        resolve_weights(weights, vgg16, seed=seed)
    except WeightsError:
        weights = "none"
    features = {"weights": weights, "views": ["identity"]}
    return load_config(settings={"seed": seed, "data": dict(reading), "features": features})


def _a_few(run: Path) -> list[Path]:
    """Return images of different cases, benign and malignant in turn."""
    from lobule.data.manifest import Manifest
    from lobule.pipeline import recorded_data

    manifest = Manifest.read(run / "manifest.csv", root=recorded_data(run))
    firsts = manifest.frame.drop_duplicates("case_id")
    order = firsts.groupby("label").cumcount().sort_values(kind="stable").index[:_PREDICTED]
    return manifest.select(firsts.loc[order, "image_id"].tolist()).paths
