"""The numbers behind the figures about probabilities and decisions, of images and of cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.evaluation.curves import reliability_of
from lobule.evaluation.predictions import sigmoid
from lobule.evaluation.risk_coverage import confidence_of, risk_coverage
from lobule.report.frames import scored
from lobule.report.numbers import numbers_in
from lobule.report.sections.thresholds import threshold_of

if TYPE_CHECKING:
    from lobule.evaluation.levels import Level
    from lobule.evaluation.predictions import Predictions, Protocol

__all__ = ["case_frame", "decided_units", "reliability_frame", "risk_frame"]

_SMALLEST_ODDS = 1e-9
Vector = NDArray[np.float64]


def decided_units(
    predictions: Predictions, document: Mapping[str, Any], protocol: Protocol, *, level: Level
) -> pd.DataFrame:
    """Return the scored images, or cases, with their probability before and after temperature and their label.

    A case is all images with the same case and label, judged by the mean of its images' logits with the temperature
    and threshold of its fold, as in metrics.json.

    Args:
        predictions: any protocols.
        document: metrics.json; what it does not tell (temperatures, thresholds of folds) is left out.
        protocol: which predictions.
        level: image or case.

    Returns:
        Columns `case_id, label`, `before` and `after` (P(malignant)), `called_malignant`.
    """
    frame = scored(predictions, protocol)
    frame = frame.assign(logit=frame["logit_malignant"].astype(float), log_odds=_log_odds(frame["probability"]))
    if level == "image":
        threshold = threshold_of(document) or 0.5
        called = np.where(
            frame["pred_label"] == "", frame["probability"] >= threshold, frame["pred_label"] == "malignant"
        )
        units = frame.assign(before=sigmoid(frame["logit"].to_numpy()), after=frame["probability"])
        return units.assign(called_malignant=called.astype(bool))[
            ["case_id", "label", "before", "after", "called_malignant"]
        ]
    grouped = frame.groupby(["case_id", "label"], sort=True)
    cases = grouped.agg(logit=("logit", "mean"), log_odds=("log_odds", "mean"), fold=("fold", "first")).reset_index()
    temperature = numbers_in(document, "binary", "temperature")
    has_own = isinstance(temperature.get("case"), int | float)
    divisor = _of_fold(cases["fold"], numbers_in(temperature, "cross_fitted").get("case"), temperature.get("case"))
    after = sigmoid(cases["logit"].to_numpy() / divisor if has_own else cases["log_odds"].to_numpy())
    fitted = numbers_in(document, "binary", "threshold", "cross_fitted").get("case")
    called = after >= _of_fold(cases["fold"], fitted, threshold_of(document, "case") or 0.5)
    cases = cases.assign(before=sigmoid(cases["logit"].to_numpy()), after=after, called_malignant=called)
    return cases[["case_id", "label", "before", "after", "called_malignant"]]


def _log_odds(probability: pd.Series[Any]) -> Vector:
    clipped = np.clip(probability.to_numpy(dtype=np.float64), _SMALLEST_ODDS, 1 - _SMALLEST_ODDS)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), dtype=np.float64)


def _of_fold(fold: pd.Series[Any], fitted: object, pooled: object) -> Vector:
    """Return the value of each row's fold, or the pooled one where there is none for each fold; shape (n,)."""
    usual = float(pooled) if isinstance(pooled, int | float) else 1.0
    values = [float(value) for value in fitted] if isinstance(fitted, list) else []
    known = fold.astype("Float64")
    if not values or known.isna().any() or int(known.max()) >= len(values):
        return np.full(len(fold), usual)
    return np.array([values[int(index)] for index in known], dtype=np.float64)


def case_frame(predictions: Predictions, document: Mapping[str, Any], protocol: Protocol) -> pd.DataFrame:
    """Return the scored images with `probability` of malignancy and that of their case, as `draw_cases` takes them.

    A case whose images carry both labels is shown under each of them.
    """
    frame = scored(predictions, protocol)
    cases = decided_units(predictions, document, protocol, level="case").set_index(["case_id", "label"])["after"]
    own = pd.MultiIndex.from_frame(frame[["case_id", "label"]])
    both = frame.groupby("case_id")["label"].transform("nunique") > 1
    names = frame["case_id"].where(~both, frame["case_id"] + " " + frame["label"])
    return frame.assign(case_id=names, case_probability=cases.reindex(own).to_numpy())


def reliability_frame(units: pd.DataFrame) -> pd.DataFrame:
    """Return `stage, predicted, observed, count` of the bins of the ECE that hold units, before and after temperature.

    Args:
        units: as from `decided_units`. Where temperature changed nothing there is only the stage after.
    """
    malignant = (units["label"] == "malignant").to_numpy()
    stages = ["after"] if np.allclose(units["before"], units["after"], atol=1e-6) else ["before", "after"]
    parts = []
    for stage in stages:
        bins = reliability_of(units[stage].to_numpy(dtype=np.float64), malignant)
        part = pd.DataFrame({"predicted": bins.probability, "observed": bins.malignant, "count": bins.n})
        parts.append(part[part["count"] > 0].assign(stage=stage))
    return pd.concat(parts, ignore_index=True)[["stage", "predicted", "observed", "count"]]


def risk_frame(units: pd.DataFrame) -> pd.DataFrame:
    """Return `coverage, risk, confidence` of units from the surest on.

    Args:
        units: as from `decided_units`, at least one.
    """
    wrong = units["called_malignant"].to_numpy() != (units["label"] == "malignant").to_numpy()
    return risk_coverage(wrong, confidence_of(units["after"].to_numpy(dtype=np.float64))).to_frame()
