"""The parts of metrics.json: what is said of a task, a protocol and a level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule.evaluation.binary import binary_values
from lobule.evaluation.calibration import BIN_RULE, Stage, calibration_rules, calibration_values
from lobule.evaluation.case_rules import CASE_RULES, units_by_rule
from lobule.evaluation.decision.operating import Decisions
from lobule.evaluation.label_sets import label_set_rules, label_set_shares, label_set_values, wrong_verdicts
from lobule.evaluation.levels import LEVELS, Images, Level, Units, images_of, rows_of, units_of
from lobule.evaluation.measures import Measure, Rule, ValuesOf, binary_rules, class_rules, measure, subtype_rules
from lobule.evaluation.predictions import Predictions, Protocol
from lobule.evaluation.risk_coverage import confidence_of, risk_coverage, risk_coverage_areas
from lobule.evaluation.strata import by_magnification, by_subtype
from lobule.evaluation.subtype import CLASS_METRICS, subtype_values
from lobule.evaluation.sums import divide, weighted_sums
from lobule.taxonomy import LABELS, SUBTYPES, Task, classes_of

__all__ = ["Scoring", "case_rules_block", "level_block", "operating_block", "refused_block"]

_COVERAGES: Final = (1.0, 0.9, 0.8, 0.7, 0.5)
_OPERATING_KEYS: Final[dict[str, dict[str, Level]]] = {
    "threshold": {"value": "image", "case": "case"},
    "temperature": {"image": "image", "case": "case"},
}
_SUBTYPE_STRATUM: Final = ("accuracy", "recall", "specificity")


@dataclass(frozen=True, eq=False)
class Scoring:
    """How predictions are scored.

    Attributes:
        bootstrap: number of replicates.
        seed: fixes the draws.
        scorable: shape (8,), from `scorable_subtypes`.
        in_full: whether calibration, label sets and rules for cases are measured too.
    """

    bootstrap: int
    seed: int
    scorable: NDArray[np.bool_]
    in_full: bool


def operating_block(decisions: Decisions, task: Task) -> dict[str, Any]:
    """Return thresholds and temperatures: the pooled values that are shipped, and those that rows were judged with."""
    pooled, used = decisions.pooled, [decisions.points[index] for index in np.unique(decisions.point_of)]
    if task == "subtype":
        cross_fitted = [_rounded(point.subtype_temperature) for point in used]
        return {"temperature": {"image": _rounded(pooled.subtype_temperature), "cross_fitted": cross_fitted}}
    block = {
        name: {
            **{key: _rounded(getattr(pooled.at(level), name)) for key, level in keys.items()},
            "cross_fitted": {level: [_rounded(getattr(p.at(level), name)) for p in used] for level in LEVELS},
        }
        for name, keys in _OPERATING_KEYS.items()
    }
    return {**block, "threshold": {**block["threshold"], "rule": pooled.rule}}


def level_block(images: Images, level: Level, settings: Scoring, *, fitted: bool) -> dict[str, Any]:
    """Return everything of a level: metrics, confusion matrix, strata, calibration and label sets.

    Args:
        images: of one task and protocol.
        level: "image" or "case".
        settings: how to score.
        fitted: whether temperatures were fitted, so that there is an "after".
    """
    units = units_of(images, level)
    block = {
        **_as_json(_measures(units, settings)),
        "confusion_matrix": {"labels": list(classes_of(units.task)), "counts": units.confusion().tolist()},
        "by_magnification": {
            name: _as_json(_measures(units_of(images.where(mask), level), settings))
            for name, mask in by_magnification(images).items()
        },
        **(_subtype_strata(images, level, settings) if images.task == "binary" else _per_class(units, settings)),
    }
    if settings.in_full:
        block["calibration"] = {
            "before": _calibration(units, "before", settings),
            "after": _calibration(units, "after", settings) if fitted else None,
            "bins": BIN_RULE,
        }
        if images.task == "binary":
            block["conformal"] = _label_sets(units, images, level, settings)
            block["risk_coverage"] = _risk_coverage(units, settings)
    return block


def _calibration(units: Units, stage: Stage, settings: Scoring) -> dict[str, Any]:
    values_of = partial(calibration_values, units, stage=stage)
    return _as_json(_measured(units, calibration_rules(units), values_of, settings))


def _label_sets(units: Units, images: Images, level: Level, settings: Scoring) -> dict[str, Any]:
    """Return what the label sets are worth; attainable is what every point of the level attains."""
    measures = _as_json(_measured(units, label_set_rules(units), partial(label_set_values, units), settings))
    rule, values_of = wrong_verdicts(units)
    used = [images.points[index].at(level).label_sets for index in np.unique(images.point)]
    return {
        "alpha": used[0].alpha,
        "attainable": {
            "benign": all(sets.benign is not None for sets in used),
            "malignant": all(sets.malignant is not None for sets in used),
        },
        "calibration_cases": {
            "benign": min(sets.benign_cases for sets in used),
            "malignant": min(sets.malignant_cases for sets in used),
        },
        **{kind: {part: measures[f"{kind} {part}"] for part in (*LABELS, "all")} for kind in ("coverage", "set_size")},
        **label_set_shares(units),
        **_as_json(_measured(units, [rule], values_of, settings)),
    }


def _risk_coverage(units: Units, settings: Scoring) -> dict[str, Any]:
    wrong, confidence = units.predicted != units.true, confidence_of(units.probability, units.threshold)

    def values_of(multiplicity: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"area": risk_coverage_areas(wrong, confidence, case=units.case, multiplicity=multiplicity)}

    every = np.ones(len(units), dtype=bool)
    curve = risk_coverage(wrong, confidence)
    return {
        **_as_json(_measured(units, [Rule("area", every, (every,))], values_of, settings)),
        "accuracy_at": {str(share): _rounded(curve.accuracy_at(share)) for share in _COVERAGES},
    }


def case_rules_block(images: Images, settings: Scoring) -> dict[str, Any]:
    """Return ranking and balanced accuracy of each way to a case's answer; groups are what shares a point."""
    rules = {}
    for name in CASE_RULES:
        units = units_by_rule(images, images.point, name)
        wanted = [rule for rule in binary_rules(units) if rule.name in ("auroc", "balanced_accuracy")]
        rules[name] = _as_json(_run(units, wanted, settings))
    return rules


def refused_block(predictions: Predictions, protocol: Protocol, settings: Scoring) -> dict[str, Any] | None:
    """Return how many labelled images were refused and why; None where nothing was looked at for that."""
    frame = predictions.frame.iloc[rows_of(predictions, "binary", protocol)]
    if not frame["novelty"].notna().any():
        return None
    refused = frame["verdict"].eq("not assessable").to_numpy()
    units = units_of(images_of(predictions, "binary", protocol), "image")
    every = np.ones(len(units), dtype=bool)
    columns = np.stack([every, refused], axis=1).astype(np.float64)

    def values_of(multiplicity: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        total, hits = weighted_sums(units.case, columns, multiplicity).T
        return {"rate": divide(hits, total)}

    measures = _as_json(_measured(units, [Rule("rate", every, (every,))], values_of, settings))
    kinds = frame.loc[refused, "reason"].str.split(" (", regex=False).str[0].str.split(":").str[0]
    return {**measures, "reasons": {str(name): int(n) for name, n in kinds.value_counts().sort_index().items()}}


def _measures(units: Units, settings: Scoring) -> dict[str, Measure]:
    if units.task == "binary":
        return _run(units, binary_rules(units), settings)
    return _run(units, subtype_rules(units, scorable=settings.scorable), settings)


def _run(units: Units, rules: list[Rule], settings: Scoring) -> dict[str, Measure]:
    values_of = (
        partial(binary_values, units)
        if units.task == "binary"
        else partial(subtype_values, units, scorable=settings.scorable)
    )
    return _measured(units, rules, values_of, settings)


def _measured(units: Units, rules: list[Rule], values_of: ValuesOf, settings: Scoring) -> dict[str, Measure]:
    return measure(units, rules, values_of, bootstrap=settings.bootstrap, seed=settings.seed)


def _as_json(measures: Mapping[str, Measure]) -> dict[str, Any]:
    return {name: asdict(measured) for name, measured in measures.items()}


def _subtype_strata(images: Images, level: Level, settings: Scoring) -> dict[str, Any]:
    strata = {}
    for name, mask in by_subtype(images).items():
        units = units_of(images.where(mask), level)
        rules = [rule for rule in binary_rules(units) if rule.name in _SUBTYPE_STRATUM]
        strata[name] = _as_json(_run(units, rules, settings))
    return {"by_subtype": strata}


def _per_class(units: Units, settings: Scoring) -> dict[str, Any]:
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


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
