"""The blocks of metrics.json about decisions and controls, simulated to their specification."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lobule.evaluation.metrics import Metrics
from lobule.taxonomy import LABELS

_SIZES = {"n_images": 400, "n_cases": 51}
_BENIGN = {"n_images": 120, "n_cases": 15}
_MALIGNANT = {"n_images": 280, "n_cases": 36}


def measured(value: float | None, low: float | None = None, high: float | None = None, **sizes: int) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, **(sizes or _SIZES)}


def calibration_block(*, slope: tuple[float, float | None, float | None] = (0.97, 0.7, 1.3)) -> dict[str, Any]:
    before = {
        "brier": measured(0.121, 0.09, 0.16),
        "log_loss": measured(0.41, 0.31, 0.52),
        "ece": measured(0.083, 0.06, 0.14),
        "slope": measured(0.62, 0.45, 0.85),
        "intercept": measured(-0.2, -0.6, 0.2),
    }
    after = {
        "brier": measured(0.112, 0.08, 0.15),
        "log_loss": measured(0.36, 0.28, 0.45),
        "ece": measured(0.051, 0.04, 0.11),
        "slope": measured(*slope),
        "intercept": measured(-0.1, -0.5, 0.3),
    }
    return {"before": before, "after": after}


def conformal_block(
    *, attainable: tuple[bool, bool] = (True, True), calibration_cases: tuple[int, int] = (12, 28)
) -> dict[str, Any]:
    return {
        "alpha": 0.1,
        "attainable": dict(zip(LABELS, attainable, strict=True)),
        "calibration_cases": dict(zip(LABELS, calibration_cases, strict=True)),
        "coverage": {
            "benign": measured(0.9, 0.7, 0.99, **_BENIGN),
            "malignant": measured(0.93, 0.8, 0.98, **_MALIGNANT),
            "all": measured(0.92, 0.82, 0.97),
        },
        "set_size": {
            "benign": measured(1.2, 1.0, 1.4, **_BENIGN),
            "malignant": measured(1.1, 1.0, 1.2, **_MALIGNANT),
            "all": measured(1.13, 1.0, 1.25),
        },
        "shares": {"benign": 0.24, "malignant": 0.62, "both": 0.13, "none": 0.01},
        "score": "one minus the probability of the label, of the case's mean logit",
    }


def risk_block() -> dict[str, Any]:
    steps = {"1.0": 0.85, "0.9": 0.88, "0.8": 0.91, "0.7": 0.93, "0.6": 0.95, "0.5": 0.97}
    return {"area": measured(0.05, 0.02, 0.09), "accuracy_at": steps}


def gain_block(value: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    return {
        task: {
            protocol: {level: {name: measured(value, low, high) for name in metrics} for level in ("image", "case")}
            for protocol in ("holdout", "folds")
        }
        for task, metrics in (("binary", ("auroc", "balanced_accuracy")), ("subtype", ("balanced_accuracy",)))
    }


def with_decisions(metrics: Metrics, **sets: tuple[Any, Any]) -> Metrics:
    """Return the metrics with everything that a run writes about calibration, threshold, label sets and refusals."""
    binary = dict(metrics.document["binary"])
    for protocol in ("holdout", "folds"):
        if protocol in binary:
            conformal = conformal_block(**sets)
            added = {"calibration": calibration_block(), "conformal": conformal, "risk_coverage": risk_block()}
            levels = {level: {**binary[protocol][level], **added} for level in ("image", "case")}
            rules = ("mean_log_odds", "mean_probability", "median_probability", "largest_probability", "majority_vote")
            case_rules = {
                name: {
                    "auroc": measured(0.91 - place / 100, 0.8, 0.99),
                    "balanced_accuracy": measured(0.84, 0.75, 0.93),
                }
                for place, name in enumerate(rules)
            }
            refused = {
                "rate": measured(0.0155, 0.004, 0.03),
                "reasons": {"blurred": 4, "unlike the training images": 2},
            }
            binary[protocol] = {**levels, "case_rules": case_rules, "refused": refused}
    binary["threshold"] = {
        "value": 0.612,
        "rule": "largest balanced accuracy on out-of-fold predictions",
        "case": 0.655,
        "cross_fitted": {"image": [0.58, 0.61, 0.64, 0.6, 0.62], "case": [0.6, 0.66, 0.7, 0.64, 0.65]},
    }
    binary["temperature"] = {
        "image": 1.42,
        "case": 1.71,
        "cross_fitted": {"image": [1.38, 1.45, 1.4, 1.51, 1.37], "case": [1.6, 1.8, 1.66, 1.75, 1.7]},
    }
    return Metrics({**metrics.document, "binary": binary})


def with_gain(metrics: Metrics, gain: tuple[float | None, float | None, float | None]) -> Metrics:
    """Return the metrics with the paired difference between the model and each of its controls."""
    controls = {
        name: {**block, "difference": gain_block(*gain)} for name, block in metrics.document["controls"].items()
    }
    return Metrics({**metrics.document, "controls": controls})


def changed() -> pd.DataFrame:
    """Return what a run measured on changed images and left out magnifications."""
    nothing = float("nan")
    gains = (0.6, 0.8, 1.0, 1.25, 1.5)
    rows: list[tuple[str, float, float, float, float, float]] = [
        ("unchanged", nothing, 0.91, 0.82, 0.97, 0.0),
        *(("jpeg_quality", q, 0.9 - (90 - q) / 900, 0.8, 0.96, (90 - q) / 500) for q in (90, 70, 50, 30, 10)),
        *(("blur_sigma", sigma, 0.9 - sigma / 30, 0.75, 0.96, sigma / 15) for sigma in (1, 2, 3)),
        *(("brightness", factor, 0.9, 0.79, 0.95, abs(1 - factor) / 2) for factor in (0.7, 0.85, 1.0, 1.15, 1.3)),
        *(("haematoxylin_gain", gain, 0.87, 0.74, 0.93, abs(1 - gain) / 2) for gain in gains),
        *(("eosin_gain", gain, 0.89, 0.76, 0.95, abs(1 - gain) / 3) for gain in gains),
        ("half_resolution", 0.5, 0.88, 0.76, 0.95, 0.06),
        ("all_magnifications", 40, 0.9, 0.8, 0.98, 0.0),
        ("magnification_left_out", 40, 0.8, 0.6, 0.93, 0.2),
        ("all_magnifications", 100, 0.88, 0.8, 0.95, 0.0),
        ("magnification_left_out", 100, 0.87, 0.75, 0.95, 0.05),
    ]
    frame = pd.DataFrame(rows, columns=["condition", "amount", "auroc", "low", "high", "verdict_changes"])
    return frame.assign(n_images=100, n_cases=40)
