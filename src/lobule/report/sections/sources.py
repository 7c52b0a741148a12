"""Scores by how images are stored: another format or size often means another way from the microscope."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from lobule.evaluation.binary import binary_values
from lobule.evaluation.levels import images_of, rows_of, units_of
from lobule.evaluation.measures import binary_rules, measure
from lobule.report.cells import Cell, Column, Row, Table, metric_cell
from lobule.report.frames_decisions import decisions_of
from lobule.report.numbers import METRIC_NAMES, Number, headline_protocol

if TYPE_CHECKING:
    from lobule.evaluation.levels import Images
    from lobule.report.inputs import ReportInputs

__all__ = ["sources_of", "sources_table"]

_METRICS: Final = ("auroc", "balanced_accuracy", "recall", "specificity")
_SHOWN: Final = 5
_OTHER: Final = "other"
_REPLICATES: Final = 2000


def sources_of(frame: pd.DataFrame) -> pd.Series[str]:
    """Return format and stored size of each image, such as `png, 700 × 460`; rare ones are `other`.

    Args:
        frame: rows of a manifest.
    """
    suffix = frame["path"].map(lambda path: PurePosixPath(path).suffix.lower().removeprefix("."))
    size = frame["width"].map(str) + " × " + frame["height"].map(str)
    source = suffix + ", " + size
    common = source.value_counts().index[:_SHOWN]
    return source.where(source.isin(common), _OTHER)


def sources_table(inputs: ReportInputs) -> Table | None:
    """Return the main metrics by format and stored size; None where there is one only, or it is not known."""
    protocol = headline_protocol(inputs.metrics.document)
    if protocol is None or inputs.manifest is None:
        return None
    known = sources_of(inputs.manifest.frame).set_axis(inputs.manifest.frame["image_id"])
    rows = rows_of(inputs.predictions, "binary", protocol)
    source = known.reindex(inputs.predictions.frame["image_id"].iloc[rows]).fillna(_OTHER).to_numpy(dtype=object)
    if len(set(source)) < 2:
        return None
    images = images_of(inputs.predictions, "binary", protocol, decisions=decisions_of(inputs))
    replicates = inputs.config.report.bootstrap if inputs.config else _REPLICATES
    names = sorted(set(source), key=lambda name: (name == _OTHER, -int((source == name).sum()), name))
    table_rows = [_row(name, images.where(np.asarray(source == name, dtype=bool)), replicates) for name in names]
    columns = tuple(Column(METRIC_NAMES[name]) for name in _METRICS)
    return Table(
        "Benign or malignant by how the images are stored, per image", "Format and size", columns, tuple(table_rows)
    )


def _row(name: str, images: Images, replicates: int) -> Row:
    units = units_of(images, "image")
    rules = [rule for rule in binary_rules(units) if rule.name in (*_METRICS, "accuracy")]
    measures = measure(units, rules, partial(binary_values, units), bootstrap=replicates, seed=0)
    numbers = {key: Number(**asdict(found)) for key, found in measures.items()}
    usual = numbers["accuracy"].counts_text
    return Row(Cell(name, (usual,)), tuple(metric_cell(numbers[key], usual=usual) for key in _METRICS))
