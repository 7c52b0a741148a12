"""The numbers behind the figures, out of predictions, metrics and split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.evaluation.curves import precision_recall_curve, roc_curve
from lobule.report.numbers import (
    METRIC_NAMES,
    Number,
    class_number,
    level_of,
    magnification_name,
    magnifications_of,
    number_of,
)
from lobule.taxonomy import LABELS, SUBTYPES

if TYPE_CHECKING:
    from lobule.data.manifest import Manifest
    from lobule.data.split import Split
    from lobule.evaluation.predictions import Predictions, Protocol

__all__ = [
    "curve_arrays",
    "magnification_frame",
    "recall_frame",
    "scored",
    "split_frame",
]

_BY_MAGNIFICATION = ("auroc", "balanced_accuracy", "recall", "specificity")


def scored(predictions: Predictions, protocol: str) -> pd.DataFrame:
    """Return the rows of a protocol with a label and a prediction, with `probability` of malignancy."""
    frame = predictions.frame
    chosen = frame[(frame["protocol"] == protocol) & frame["label"].isin(LABELS) & frame["prob_malignant"].notna()]
    return chosen.assign(probability=chosen["prob_malignant"].astype(float)).reset_index(drop=True)


def curve_arrays(predictions: Predictions, protocol: Protocol) -> dict[str, NDArray[np.float64]] | None:
    """Return the points of both operating curves, as `draw_operating_curves` takes them; None with one class only."""
    roc = roc_curve(predictions, protocol=protocol)
    points = precision_recall_curve(predictions, protocol=protocol)
    if roc is None or points is None:
        return None
    return {
        "false_positive_rate": roc.false_positive_rate,
        "true_positive_rate": roc.recall,
        "precision": points.precision,
        "recall": points.recall,
    }


def magnification_frame(document: Mapping[str, Any], protocol: Protocol | None) -> pd.DataFrame:
    """Return the main metrics of the binary task by magnification, as `draw_by_magnification` takes them."""
    level = level_of(document, "binary", protocol=protocol, level="image") if protocol else None
    strata = magnifications_of(level)
    if not any(key.isdigit() for key, _ in strata):
        return pd.DataFrame()
    return pd.DataFrame(
        [
            {
                "magnification": magnification_name(key),
                "metric": METRIC_NAMES[name],
                **_row_of(number_of(stratum, name), number_of(stratum, "accuracy")),
            }
            for key, stratum in strata
            for name in _BY_MAGNIFICATION
        ]
    )


def recall_frame(document: Mapping[str, Any], protocol: Protocol | None) -> pd.DataFrame:
    """Return, by subtype, how often label and subtype were right, as `draw_subtype_recall` takes it."""
    if protocol is None:
        return pd.DataFrame()
    binary = level_of(document, "binary", protocol=protocol, level="image") or {}
    subtype = level_of(document, "subtype", protocol=protocol, level="image") or {}
    labels, classes = binary.get("by_subtype") or {}, subtype.get("per_class") or {}
    present = [name for name in SUBTYPES if name in labels or (classes.get(name) or {}).get("n_images")]
    numbers = {
        "label": [number_of(labels.get(name), "accuracy") for name in present],
        "subtype": [class_number(classes.get(name), "recall") for name in present] if classes else [],
    }
    rows = [
        {"subtype": name, "question": question, **_row_of(number, number)}
        for question, found in numbers.items()
        for name, number in zip(present, found, strict=False)
    ]
    return pd.DataFrame(rows)


def _row_of(number: Number, size: Number) -> dict[str, float | int]:
    """Return the number's value and interval with the counts of `size`."""
    return {
        "value": np.nan if number.value is None else number.value,
        "low": np.nan if number.low is None else number.low,
        "high": np.nan if number.high is None else number.high,
        "n_images": size.n_images or 0,
        "n_cases": size.n_cases or 0,
    }


def split_frame(manifest: Manifest, split: Split) -> pd.DataFrame:
    """Return images and cases of every class in every part of the split, as `draw_split` takes them."""
    parts = {f"fold {index}": fold for index, fold in enumerate(split.folds, 1)}
    parts |= {"training": split.train, "validation": split.validation}
    frame = manifest.frame.set_index("image_id")
    return pd.concat([_part(frame.loc[list(ids)]).assign(part=name) for name, ids in parts.items()], ignore_index=True)


def _part(frame: pd.DataFrame) -> pd.DataFrame:
    name = frame["subtype"].where(frame["subtype"].isin(SUBTYPES), frame["label"])
    grouped = frame.groupby([name.rename("class"), "label"])["case_id"].agg(n_images="size", n_cases="nunique")
    table = grouped.reset_index()
    return table.assign(n_label_cases=table["label"].map(frame.groupby("label")["case_id"].nunique()))
