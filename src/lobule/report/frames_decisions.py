"""The numbers behind the figures about probabilities and decisions, of images and of cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lobule.evaluation.curves import reliability
from lobule.evaluation.levels import images_of, rows_of, units_of
from lobule.evaluation.risk_coverage import confidence_of, risk_coverage
from lobule.report.frames import scored
from lobule.report.numbers import numbers_in
from lobule.taxonomy import LABELS

if TYPE_CHECKING:
    from lobule.evaluation.decision.operating import Decisions
    from lobule.evaluation.levels import Level
    from lobule.evaluation.predictions import Predictions, Protocol
    from lobule.report.inputs import ReportInputs

__all__ = ["case_frame", "decided_units", "decisions_of", "reliability_frame", "risk_frame"]


def decisions_of(inputs: ReportInputs) -> Decisions | None:
    """Return the decisions that the metrics were measured with; None where metrics are older than decisions."""
    from lobule.config import DecisionSettings
    from lobule.evaluation.decision.decide import decide

    if not numbers_in(inputs.metrics.document, "binary", "threshold", "cross_fitted"):
        return None
    own = inputs.config.decision if inputs.config else DecisionSettings()
    return decide(inputs.predictions, inputs.decision or own)


def decided_units(
    predictions: Predictions, decisions: Decisions | None, protocol: Protocol, *, level: Level
) -> pd.DataFrame:
    """Return the scored images, or cases, each as it was decided.

    Args:
        predictions: any protocols.
        decisions: of these predictions; None: temperature 1 and threshold 0.5.
        protocol: which predictions.
        level: image or case.

    Returns:
        Columns `case_id, label, probability` (of malignancy), `called_malignant`, `confidence`.
    """
    units = units_of(images_of(predictions, "binary", protocol, decisions=decisions), level)
    rows = rows_of(predictions, "binary", protocol)
    names = np.array(list(dict.fromkeys(predictions.frame["case_id"].iloc[rows])), dtype=object)
    return pd.DataFrame(
        {
            "case_id": names[units.case],
            "label": np.array(LABELS, dtype=object)[units.true],
            "probability": units.probability,
            "called_malignant": units.predicted == 1,
            "confidence": confidence_of(units.probability, units.threshold),
        }
    )


def case_frame(predictions: Predictions, decisions: Decisions | None, protocol: Protocol) -> pd.DataFrame:
    """Return the scored images with `probability` and those of their case and its call, as `draw_cases` takes them.

    A case whose images carry both labels is shown under each of them.
    """
    frame = scored(predictions, protocol)
    cases = decided_units(predictions, decisions, protocol, level="case").set_index(["case_id", "label"])
    own = pd.MultiIndex.from_frame(frame[["case_id", "label"]])
    both = frame.groupby("case_id")["label"].transform("nunique") > 1
    names = frame["case_id"].where(~both, frame["case_id"] + " " + frame["label"])
    return frame.assign(
        case_id=names,
        case_probability=cases["probability"].reindex(own).to_numpy(),
        called_malignant=cases["called_malignant"].reindex(own).to_numpy(dtype=bool),
    )


def reliability_frame(
    predictions: Predictions, decisions: Decisions | None, protocol: Protocol, *, level: Level
) -> pd.DataFrame:
    """Return `stage, predicted, observed, count` of the bins of the ECE that hold units.

    There are the stages before and after temperature, or only after where none was fitted.
    """
    fitted = decisions is not None and decisions.is_cross_fitted and protocol != "predict"
    stages = {"before": None, "after": decisions} if fitted else {"after": decisions}
    parts = []
    for stage, used in stages.items():
        bins = reliability(predictions, protocol=protocol, level=level, decisions=used)
        part = pd.DataFrame({"predicted": bins.probability, "observed": bins.malignant, "count": bins.n})
        parts.append(part[part["count"] > 0].assign(stage=stage, level=level))
    return pd.concat(parts, ignore_index=True)[["level", "stage", "predicted", "observed", "count"]]


def risk_frame(
    predictions: Predictions, decisions: Decisions | None, protocol: Protocol, *, level: Level
) -> pd.DataFrame:
    """Return `coverage, risk, confidence` of images or cases from the surest on; there must be one."""
    units = decided_units(predictions, decisions, protocol, level=level)
    wrong = units["called_malignant"].to_numpy(dtype=bool) != (units["label"] == "malignant").to_numpy()
    return risk_coverage(wrong, units["confidence"].to_numpy(dtype=np.float64)).to_frame().assign(level=level)
