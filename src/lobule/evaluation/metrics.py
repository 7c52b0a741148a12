"""Predictions to metrics.json: both tasks, every protocol, by image and by case, with intervals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lobule.config import DecisionSettings
from lobule.errors import ConfigError, DataError
from lobule.evaluation.blocks import Scoring, case_rules_block, level_block, operating_block, refused_block
from lobule.evaluation.decision.decide import decide
from lobule.evaluation.levels import LEVELS, Level, images_of
from lobule.evaluation.predictions import Predictions, Protocol
from lobule.evaluation.schema import SCHEMA_VERSION, check_document
from lobule.evaluation.subtype import scorable_subtypes
from lobule.progress import Progress, silent
from lobule.provenance import write_atomically
from lobule.taxonomy import TASKS, Task

__all__ = ["Metrics", "evaluate"]

_PROTOCOLS: Final[tuple[Protocol, ...]] = ("holdout", "folds", "predict")
_DECISION: Final = DecisionSettings()


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

    def with_controls(
        self, controls: Mapping[str, Metrics], *, differences: Mapping[str, Mapping[str, Any] | None] | None = None
    ) -> Metrics:
        """Return the same metrics with those of controls beside them.

        Args:
            controls: by name, their metrics.
            differences: by name, the model minus the control, as from `paired_differences`; None where the two cannot
                be paired.
        """
        paired = differences or {}
        added = {
            name: {**{task: control.document[task] for task in TASKS}, "difference": paired.get(name)}
            for name, control in controls.items()
        }
        return Metrics({**self.document, "controls": {**self.document["controls"], **added}})

    def with_search(self, summary: Mapping[str, Any]) -> Metrics:
        """Return the same metrics with what a search for settings tried and chose, as `search`."""
        return Metrics({**self.document, "search": dict(summary)})

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


def evaluate(
    predictions: Predictions,
    *,
    decision: DecisionSettings = _DECISION,
    bootstrap: int = 2000,
    seed: int = 0,
    in_full: bool = True,
    keep_given: bool = True,
    progress: Progress | None = None,
) -> Metrics:
    """Score predictions for both tasks.

    Only images with a label (for subtypes: a subtype) and a prediction are scored. Probabilities, thresholds and label
    sets are made anew from the logits by `decide`, cross-fitted. What each metric is, and when it is undefined, stands
    at `binary_values`, `subtype_values`, `calibration_values` and `label_set_values`; what a case is, at `units_of`.

    A metric's interval is the central 95 % of a bootstrap that draws cases, stratified by label; for proportions of
    cases (accuracy, precision, recall, specificity by case) it is that of Clopper and Pearson. There is none where a
    class that the metric needs has fewer than five cases. Metrics over all units (accuracy, Cohen's kappa, Brier, log
    loss, ECE, patient recognition rate) need five cases together. `n_images` and `n_cases` count what the metric is
    about: for recall the malignant, for specificity the benign, for precision those called malignant.

    Args:
        predictions: any protocols.
        decision: rule of the threshold, alpha of the label sets.
        bootstrap: number of replicates; 0 leaves only the exact intervals.
        seed: fixes the draws.
        in_full: False leaves out calibration, label sets and rules for cases: enough for a control.
        keep_given: whether the labels of rows that were decided elsewhere (protocol `predict`) stand; see `decide`.
        progress: told after each protocol and level.

    Returns:
        The metrics; a task without scored images is None, a protocol without them is left out.

    Raises:
        ConfigError: an argument is out of range.
        DataError: an image that can be scored has no case.
    """
    if bootstrap < 0:
        raise ConfigError(f"bootstrap: a number of replicates of at least 0 is needed; received {bootstrap}")
    decisions = decide(predictions, decision, keep_given=keep_given)
    settings = Scoring(bootstrap, seed, scorable_subtypes(predictions.frame), in_full)
    parts = [
        (task, protocol, images_of(predictions, task, protocol, decisions=decisions))
        for task in TASKS
        for protocol in _PROTOCOLS
    ]
    scored = [(task, protocol, images) for task, protocol, images in parts if len(images)]
    blocks: dict[Task, dict[str, Any]] = {task: {} for task in TASKS}
    tell, done, total = progress or silent, 0, len(scored) * len(LEVELS)
    for task, protocol, images in scored:
        blocks[task][protocol] = {}
        for level in LEVELS:
            blocks[task][protocol][level] = level_block(images, level, settings, fitted=decisions.is_cross_fitted)
            done += 1
            tell("evaluate", done, total)
        if task == "binary" and in_full:
            blocks[task][protocol]["case_rules"] = case_rules_block(images, settings)
            blocks[task][protocol]["refused"] = refused_block(predictions, protocol, settings)
    for task in TASKS:
        if blocks[task]:
            blocks[task] |= operating_block(decisions, task)
    found: dict[str, Any] = {task: blocks[task] or None for task in TASKS}
    return Metrics({"schema_version": SCHEMA_VERSION, **found, "controls": {}})
