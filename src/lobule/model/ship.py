"""From trained heads to the bundle that is shipped: the final fit, the graph and the record of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lobule.evaluation.summary import summary
from lobule.features.convert import graph_of
from lobule.features.quantise import quantised_graph
from lobule.model.bundle import write_bundle
from lobule.model.bundle_record import (
    BackboneRecord,
    BundleRecord,
    Preprocessing,
    Threshold,
    TrainingData,
    temperatures_of,
)
from lobule.report.card import model_card
from lobule.taxonomy import classes_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from lobule.config import Config
    from lobule.data.manifest import Manifest
    from lobule.evaluation.decision.operating import Operating
    from lobule.evaluation.metrics import Metrics
    from lobule.features.spec import EncoderSpec
    from lobule.model.head import Head
    from lobule.model.novelty import Novelty
    from lobule.report.card import DataSummary
    from lobule.taxonomy import Task

__all__ = ["ship"]


def ship(
    folder: Path,
    trained_on: Manifest,
    spec: EncoderSpec,
    heads: Mapping[Task, Head],
    metrics: Metrics,
    *,
    operating: Operating,
    config: Config,
    name: str,
    data: DataSummary,
    novelty: Novelty | None = None,
) -> Path:
    """Write the bundle.

    Args:
        folder: the bundle to be.
        trained_on: the images that the heads were trained on.
        spec: the backbone; its graph is written if it is not there yet.
        heads: by task, the head that is shipped.
        metrics: what the card states.
        operating: temperatures, threshold and label sets that are shipped.
        config: the run's settings.
        name: what the card calls the model.
        data: what the card says of the images.
        novelty: which images can be assessed, by the features of `spec`; None: nothing is refused.
    """
    record = BundleRecord(
        classes={task: classes_of(task) for task in heads},
        backbone=_backbone(spec),
        input_size=spec.architecture.input_size,
        precision=spec.precision,
        preprocessing=Preprocessing(views=config.features.views, graph=_inside_the_graph(spec)),
        threshold=Threshold.of(operating),
        temperature=temperatures_of(operating, tuple(heads)),
        operating=operating,
        training=_training_data(trained_on),
        metrics=_headline(metrics),
    )
    card = model_card(
        metrics,
        data,
        config=config,
        model_id=name,
        input_size=record.input_size,
        preprocessing=record.preprocessing.graph,
    )
    graph = graph_of(spec).parent
    quantised = quantised_graph(spec).parent if spec.precision == "int8" else None
    return write_bundle(
        folder, record=record, heads=heads, graph=graph, card=card, novelty=novelty, quantised=quantised
    )


def _backbone(spec: EncoderSpec) -> BackboneRecord:
    part = spec.map_slice
    return BackboneRecord(
        name=spec.backbone,
        weights=f"{spec.weights.kind} {spec.weights.digest[:16]}",
        layers=spec.layers,
        feature_size=spec.feature_size,
        map_slice=(part.start, part.stop),
    )


def _inside_the_graph(spec: EncoderSpec) -> str:
    how = spec.architecture.preprocessing
    text = f"{how['colour']} to the scaling called {how['scaling']!r} by Keras, then the backbone, then global averages"
    if spec.precision == "int8":
        text += "; in 8-bit integers whose ranges were calibrated on unlabelled training images"
    return text


def _training_data(manifest: Manifest) -> TrainingData:
    frame = manifest.frame
    counts = {**_counts(frame["label"]), **_counts(frame["subtype"])}
    return TrainingData(
        dataset_sha256=manifest.digest,
        n_images=len(frame),
        n_cases=int(frame["case_id"].nunique()),
        images_by_class=counts,
    )


def _counts(column: pd.Series[Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in column[column != ""].value_counts().items()}


def _headline(metrics: Metrics) -> dict[str, Any]:
    """Return the out-of-fold metrics of both levels, each with its interval and counts."""
    shown = {"auroc", "accuracy", "balanced_accuracy", "recall", "specificity", "macro_f1"}
    return {
        f"{row.task} {row.level} {row.name}": {
            "value": row.value,
            "low": row.low,
            "high": row.high,
            "n_images": row.n_images,
            "n_cases": row.n_cases,
        }
        for row in summary(metrics)
        if row.protocol == "folds" and row.name in shown
    }
