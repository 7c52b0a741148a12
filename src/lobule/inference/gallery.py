"""The worst errors of a run, each with what the fold that made it looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lobule.data.images import decode
from lobule.evaluation.curves import worst_errors
from lobule.features.views import apply_view
from lobule.inference.heatmap import explain, overlay
from lobule.report.inputs import GalleryItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest
    from lobule.evaluation.predictions import Predictions
    from lobule.features.engines import Engine
    from lobule.model.head import Head
    from lobule.taxonomy import Task

__all__ = ["gallery_of"]


def gallery_of(
    predictions: Predictions,
    manifest: Manifest,
    heads: Mapping[Task, Sequence[Head]],
    engine: Engine,
    map_slice: slice,
    *,
    n: int,
) -> tuple[GalleryItem, ...]:
    """Return the most confident out-of-fold errors with their heat maps.

    Args:
        predictions: with the protocol `folds`.
        manifest: where the images are.
        heads: by task, the head of each fold; the one that never saw the image explains its error.
        engine: runs the backbone.
        map_slice: which of the features the last map averages to.
        n: most items.
    """
    rows = worst_errors(predictions, n)
    paths = manifest.select(rows["image_id"].tolist()).paths if len(rows) else []
    items = []
    for row, path in zip(_records(rows), paths, strict=True):
        pixels = decode(path)
        features, maps = engine.maps(apply_view(pixels, "identity", size=engine.input_size)[None])
        fold = int(row["fold"])
        shown = {
            task: overlay(pixels, explain(of_folds[fold], features[0], maps[0], toward=toward, part=map_slice))
            for task, of_folds in heads.items()
            if (toward := row["predicted"] if task == "binary" else row["pred_subtype"])
        }
        items.append(_item(row, pixels, shown))
    return tuple(items)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _item(row: Mapping[str, Any], pixels: NDArray[np.uint8], shown: Mapping[Task, NDArray[np.uint8]]) -> GalleryItem:
    magnification = row["magnification"]
    probability = float(row["prob_malignant"])
    return GalleryItem(
        image_id=str(row["image_id"]),
        case_id=str(row["case_id"]),
        text=f"{row['label']}, called {row['pred_label']} with P(malignant) = {probability:.2f}",
        label=str(row["label"]),
        subtype=str(row["subtype"]),
        predicted_label=str(row["pred_label"]),
        predicted_subtype=str(row["pred_subtype"]),
        probability=probability,
        magnification=int(str(magnification)) if str(magnification).isdigit() else None,
        image=pixels,
        overlay_binary=shown["binary"],
        overlay_subtype=shown.get("subtype"),
    )
