"""The worst errors of a run, each with what the fold that made it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lobule.data.images import decode
from lobule.evaluation.curves import worst_errors
from lobule.features.engines import open_engine
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
    from lobule.features.spec import EncoderSpec
    from lobule.model.head import Head
    from lobule.model.stages import Trained
    from lobule.taxonomy import Task

__all__ = ["Lens", "gallery_of"]


@dataclass(frozen=True, eq=False)
class Lens:
    """What one fold looked through.

    Attributes:
        encoder: its backbone.
        heads: by task, its head.
    """

    encoder: EncoderSpec
    heads: Mapping[Task, Head]

    @classmethod
    def of(cls, trained: Trained, index: int) -> Lens:
        """Return the lens of one fit."""
        return cls(trained.encoders[index], {task: heads[index] for task, heads in trained.heads.items()})


def gallery_of(
    predictions: Predictions, manifest: Manifest, lenses: Sequence[Lens], *, n: int
) -> tuple[GalleryItem, ...]:
    """Return the most confident out-of-fold errors, each explained by the fold that never saw the image.

    Args:
        predictions: with the protocol `folds`.
        manifest: where the images are.
        lenses: of each fold.
        n: most items.
    """
    rows = worst_errors(predictions, n)
    paths = manifest.select(rows["image_id"].tolist()).paths if len(rows) else []
    engines: dict[str, Engine] = {}
    items = []
    for row, path in zip(_records(rows), paths, strict=True):
        lens = lenses[int(row["fold"])]
        key = lens.encoder.key
        if key not in engines:
            engines[key] = open_engine(lens.encoder, kind="openvino")
        pixels = decode(path)
        items.append(_item(row, pixels, _overlays(row, pixels, lens, engines[key])))
    return tuple(items)


def _overlays(
    row: Mapping[str, Any], pixels: NDArray[np.uint8], lens: Lens, engine: Engine
) -> dict[Task, NDArray[np.uint8]]:
    features, maps = engine.maps(apply_view(pixels, "identity", size=engine.input_size)[None])
    called = {"binary": row["pred_label"], "subtype": row["pred_subtype"]}
    return {
        task: overlay(pixels, explain(head, features[0], maps[0], toward=called[task], part=lens.encoder.map_slice))
        for task, head in lens.heads.items()
        if called[task]
    }


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
