"""Predictions to metrics.json: both tasks, every protocol, by image and by case, with intervals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule.errors import ConfigError, DataError
from lobule.evaluation.binary import binary_values
from lobule.evaluation.levels import LEVELS, Images, Level, Units, images_of, units_of
from lobule.evaluation.measures import Measure, Rule, binary_rules, class_rules, measure, subtype_rules
from lobule.evaluation.predictions import Predictions, Protocol
from lobule.evaluation.schema import SCHEMA_VERSION, check_document
from lobule.evaluation.strata import by_magnification, by_subtype
from lobule.evaluation.subtype import CLASS_METRICS, scorable_subtypes, subtype_values
from lobule.progress import Progress, silent
from lobule.provenance import write_atomically
from lobule.taxonomy import SUBTYPES, TASKS, Task, classes_of

__all__ = ["Metrics", "evaluate"]

_PROTOCOLS: Final[tuple[Protocol, ...]] = ("holdout", "folds", "predict")
_SUBTYPE_STRATUM: Final = ("accuracy", "recall", "specificity")


@dataclass(frozen=True)
class Metrics:
    """The content of metrics.json.

    Attributes:
        document: the checked document; see `evaluate` for its parts.

    Raises:
        DataError: the document does not have the shape of metrics.json.
    """

    document: dict[str, Any]

    def __post_init__(self) -> None:
        check_document(self.document)

    def value(self, task: Task, name: str, *, protocol: Protocol = "folds", level: Level = "image") -> float | None:
        """Return the value of a metric, None where it is undefined or was not measured."""
        block = ((self.document[task] or {}).get(protocol) or {}).get(level) or {}
        value: float | None = block.get(name, {}).get("value")
        return value

    def with_controls(self, controls: Mapping[str, Metrics]) -> Metrics:
        """Return the same metrics with the metrics of controls, by name, beside them."""
        added = {name: {task: control.document[task] for task in TASKS} for name, control in controls.items()}
        return Metrics({**self.document, "controls": {**self.document["controls"], **added}})

    def write(self, path: Path) -> None:
        """Write metrics.json, atomically; undefined is null."""
        write_atomically(path, json.dumps(self.document, indent=2, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Metrics:
        """Read metrics.json.

        Raises:
            DataError: the file cannot be read, or is not a metrics.json.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"metrics: {path} cannot be read as JSON: {error}; run the evaluation again") from error
        return cls(document)


@dataclass(frozen=True, eq=False)
class _Settings:
    bootstrap: int
    seed: int
    threshold: float
    scorable: NDArray[np.bool_]


def evaluate(
    predictions: Predictions,
    *,
    bootstrap: int = 2000,
    seed: int = 0,
    threshold: float = 0.5,
    progress: Progress | None = None,
) -> Metrics:
    """Score predictions for both tasks.

    Only images with a label (for subtypes: a subtype) and a prediction are scored. The predicted classes are made
    anew from probabilities and logits; the columns `pred_label` and `pred_subtype` are not consulted. What each metric
    is, and when it is undefined, stands at `binary_values` and `subtype_values`; what a case is, at `units_of`.

    A metric's interval is the central 95 % of a bootstrap that draws cases, stratified by label; for proportions of
    cases (accuracy, precision, recall, specificity by case) it is that of Clopper and Pearson. There is none where a
    class that the metric needs has fewer than five cases. Metrics over all units (accuracy, Cohen's kappa, Brier, log
    loss, ECE, patient recognition rate) need five cases together. `n_images` and `n_cases` count what the metric is
    about: for recall the malignant, for specificity the benign, for precision those called malignant.

    Args:
        predictions: any protocols.
        bootstrap: number of replicates; 0 leaves only the exact intervals.
        seed: fixes the draws.
        threshold: lowest P(malignant) that is called malignant.
        progress: told after each protocol and level.

    Returns:
        The metrics; a task without scored images is None, a protocol without them is left out.

    Raises:
        ConfigError: an argument is out of range.
        DataError: an image that can be scored has no case.
    """
    if bootstrap < 0:
        raise ConfigError(f"bootstrap: a number of replicates of at least 0 is needed; received {bootstrap}")
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold: a probability between 0 and 1 is needed; received {threshold}")
    settings = _Settings(bootstrap, seed, threshold, scorable_subtypes(predictions.frame))
    parts = [(task, protocol, images_of(predictions, task, protocol)) for task in TASKS for protocol in _PROTOCOLS]
    scored = [(task, protocol, images) for task, protocol, images in parts if len(images)]
    blocks: dict[Task, dict[str, Any]] = {task: {} for task in TASKS}
    tell, done, total = progress or silent, 0, len(scored) * len(LEVELS)
    for task, protocol, images in scored:
        blocks[task][protocol] = {}
        for level in LEVELS:
            blocks[task][protocol][level] = _level_block(images, level, settings)
            done += 1
            tell("evaluate", done, total)
    if blocks["binary"]:
        blocks["binary"]["threshold"] = {
            "value": threshold,
            "rule": "fixed: malignant if P(malignant) is at least this",
        }
    found: dict[str, Any] = {task: blocks[task] or None for task in TASKS}
    return Metrics({"schema_version": SCHEMA_VERSION, **found, "controls": {}})


def _level_block(images: Images, level: Level, settings: _Settings) -> dict[str, Any]:
    units = units_of(images, level, threshold=settings.threshold)
    return {
        **_as_json(_measures(units, settings)),
        "confusion_matrix": {"labels": list(classes_of(units.task)), "counts": units.confusion().tolist()},
        "by_magnification": {
            name: _as_json(_measures(units_of(images.where(mask), level, threshold=settings.threshold), settings))
            for name, mask in by_magnification(images).items()
        },
        **(_subtype_strata(images, level, settings) if images.task == "binary" else _per_class(units, settings)),
    }


def _measures(units: Units, settings: _Settings) -> dict[str, Measure]:
    if units.task == "binary":
        return _run(units, binary_rules(units), settings)
    return _run(units, subtype_rules(units, scorable=settings.scorable), settings)


def _run(units: Units, rules: list[Rule], settings: _Settings) -> dict[str, Measure]:
    values_of = (
        partial(binary_values, units)
        if units.task == "binary"
        else partial(subtype_values, units, scorable=settings.scorable)
    )
    return measure(units, rules, values_of, bootstrap=settings.bootstrap, seed=settings.seed)


def _as_json(measures: Mapping[str, Measure]) -> dict[str, Any]:
    return {name: asdict(measured) for name, measured in measures.items()}


def _subtype_strata(images: Images, level: Level, settings: _Settings) -> dict[str, Any]:
    strata = {}
    for name, mask in by_subtype(images).items():
        units = units_of(images.where(mask), level, threshold=settings.threshold)
        rules = [rule for rule in binary_rules(units) if rule.name in _SUBTYPE_STRATUM]
        strata[name] = _as_json(_run(units, rules, settings))
    return {"by_subtype": strata}


def _per_class(units: Units, settings: _Settings) -> dict[str, Any]:
    rules = {name: class_rules(units, name, index) for index, name in enumerate(SUBTYPES)}
    measures = _run(units, [rule for group in rules.values() for rule in group], settings)
    return {"per_class": {name: _class_block(measures, name, units) for name in SUBTYPES}}


def _class_block(measures: Mapping[str, Measure], name: str, units: Units) -> dict[str, Any]:
    found = {metric: measures[f"{metric} {name}"] for metric in CLASS_METRICS}
    return {
        **{metric: measured.value for metric, measured in found.items()},
        "intervals": {metric: {"low": measured.low, "high": measured.high} for metric, measured in found.items()},
        "n_images": found["recall"].n_images,
        "n_cases": found["recall"].n_cases,
    }
