"""The shape of metrics.json, checked when it is made and when it is read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from lobule.errors import DataError
from lobule.evaluation.binary import BINARY_METRICS
from lobule.evaluation.columns import PROTOCOLS
from lobule.evaluation.levels import LEVELS
from lobule.evaluation.subtype import CLASS_METRICS, SUBTYPE_METRICS
from lobule.taxonomy import TASKS, Task, classes_of

__all__ = ["SCHEMA_VERSION", "check_document", "metric_names"]

SCHEMA_VERSION: Final = 1

_METRIC_KEYS: Final = ("value", "low", "high", "n_images", "n_cases")


def metric_names(task: Task) -> tuple[str, ...]:
    """Return the metrics of a task, in the order of reports."""
    return BINARY_METRICS if task == "binary" else SUBTYPE_METRICS


def check_document(document: object) -> None:
    """Check that a JSON value has the shape of metrics.json; keys that are not known are left alone.

    Raises:
        DataError: something is missing or of another kind; the message says where.
    """
    top = _mapping(document, "the document")
    if top.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"metrics: schema_version {SCHEMA_VERSION} is allowed, received {top.get('schema_version')!r}; "
            "evaluate the predictions again with this version of Lobule"
        )
    _check_tasks(top, "")
    controls = _mapping(_entry(top, "controls", ""), "controls")
    for name in controls:
        _check_tasks(_mapping(controls[name], f"controls.{name}"), f"controls.{name}.")


def _check_tasks(tasks: Mapping[str, Any], at: str) -> None:
    for task in TASKS:
        if (block := _entry(tasks, task, at)) is None:
            continue
        for protocol in set(PROTOCOLS) & set(_mapping(block, f"{at}{task}")):
            for level in LEVELS:
                path = f"{at}{task}.{protocol}.{level}"
                _check_level(_mapping(_entry(block[protocol], level, f"{at}{task}.{protocol}."), path), task, path)


def _check_level(block: Mapping[str, Any], task: Task, path: str) -> None:
    for name in metric_names(task):
        _check_metric(_entry(block, name, f"{path}."), f"{path}.{name}")
    _check_confusion(_entry(block, "confusion_matrix", f"{path}."), task, f"{path}.confusion_matrix")
    for part in ("by_magnification", "by_subtype") if task == "binary" else ("by_magnification",):
        for stratum, metrics in _mapping(_entry(block, part, f"{path}."), f"{path}.{part}").items():
            for name, metric in _mapping(metrics, f"{path}.{part}.{stratum}").items():
                _check_metric(metric, f"{path}.{part}.{stratum}.{name}")
    if task == "subtype":
        classes = _mapping(_entry(block, "per_class", f"{path}."), f"{path}.per_class")
        for name in classes_of(task):
            _check_class(_entry(classes, name, f"{path}.per_class."), f"{path}.per_class.{name}")


def _check_metric(metric: object, path: str) -> None:
    found = _mapping(metric, path)
    for key in _METRIC_KEYS:
        value = _entry(found, key, f"{path}.")
        _check_number(value, f"{path}.{key}", count=key.startswith("n_"))


def _check_class(block: object, path: str) -> None:
    found = _mapping(block, path)
    for key in (*CLASS_METRICS, "n_images", "n_cases"):
        _check_number(_entry(found, key, f"{path}."), f"{path}.{key}", count=key.startswith("n_"))


def _check_number(value: object, path: str, *, count: bool) -> None:
    if count:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise _wrong(path, "a whole number of at least 0", value)
    elif value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    ):
        raise _wrong(path, "a finite number or null", value)


def _check_confusion(matrix: object, task: Task, path: str) -> None:
    found = _mapping(matrix, path)
    names = list(classes_of(task))
    if _entry(found, "labels", f"{path}.") != names:
        raise _wrong(f"{path}.labels", str(names), found["labels"])
    counts = _entry(found, "counts", f"{path}.")
    if not isinstance(counts, list) or [len(row) for row in counts if isinstance(row, list)] != [len(names)] * len(
        names
    ):
        raise _wrong(f"{path}.counts", f"{len(names)} rows of {len(names)} counts", counts)


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return value


def _entry(block: object, key: str, at: str) -> Any:
    found = _mapping(block, at.rstrip(".") or "the document")
    if key not in found:
        raise DataError(f"metrics: {at}{key} is missing; evaluate the predictions again")
    return found[key]


def _wrong(path: str, allowed: str, received: object) -> DataError:
    return DataError(f"metrics: {path}: allowed is {allowed}, received {received!r}; evaluate the predictions again")
