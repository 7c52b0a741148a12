"""How a number is written: with its interval, and with how much stands behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lobule.evaluation.levels import Level
    from lobule.evaluation.predictions import Protocol
    from lobule.taxonomy import Task

__all__ = [
    "METRIC_NAMES",
    "Number",
    "class_number",
    "count",
    "decimal_of",
    "difference_of",
    "headline_protocol",
    "level_of",
    "magnification_name",
    "magnifications_of",
    "number_of",
    "numbers_in",
    "percent",
    "spelled",
]

METRIC_NAMES: Final = {
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision (PPV)",
    "recall": "Sensitivity (recall)",
    "specificity": "Specificity",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "patient_recognition_rate": "Patient recognition rate",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "ece": "Calibration error (ECE)",
    "macro_f1": "Macro F1",
    "cohen_kappa": "Cohen's kappa",
}
"""Metric in metrics.json -> its name in print, in the order of the tables."""

_UNDEFINED: Final = "not defined here, or too few cases for it"
_NO_INTERVAL: Final = (
    "no interval: fewer than 5 cases in a class that the metric needs, or nothing that varies; ECE has none"
)


@dataclass(frozen=True)
class Number:
    """One metric ready to be written; every part may be missing.

    Args:
        value: the metric, usually 0 to 1.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        n_images: images it was measured on.
        n_cases: cases it was measured on.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_images: int | None = None
    n_cases: int | None = None

    @property
    def has_interval(self) -> bool:
        """Tell whether both ends of the interval are known."""
        return self.low is not None and self.high is not None

    @property
    def value_text(self) -> str:
        """Return the value with three decimals, or a dash."""
        return "–" if self.value is None else _decimals(self.value)

    @property
    def interval_text(self) -> str:
        """Return `0.861–0.951`, or nothing."""
        if self.low is None or self.high is None:
            return ""
        between = " to " if self.low < 0 else "–"
        return f"{_decimals(self.low)}{between}{_decimals(self.high)}"

    @property
    def signed_text(self) -> str:
        """Return the value, a difference, with its sign: `+0.075`; or a dash."""
        return f"+{self.value_text}" if self.value is not None and self.value > 0 else self.value_text

    @property
    def span_text(self) -> str:
        """Return the interval of a difference, `0.012 to 0.138`, or nothing."""
        return "" if self.low is None or self.high is None else f"{_decimals(self.low)} to {_decimals(self.high)}"

    @property
    def counts_text(self) -> str:
        """Return `775 images, 51 cases`, as far as known."""
        parts = [count(self.n_images, "image"), count(self.n_cases, "case")]
        return ", ".join(part for part in parts if part)

    @property
    def why(self) -> str:
        """Return why the value or its interval is missing, or nothing."""
        reason = _UNDEFINED if self.value is None else "" if self.has_interval else _NO_INTERVAL
        return f"{reason} ({self.counts_text})" if reason and self.counts_text else reason

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        return f"{self.value_text} [{self.interval_text}]" if self.has_interval else f"{self.value_text} (no interval)"


def number_of(values: Mapping[str, Any] | None, metric: str) -> Number:
    """Return a metric of a level or stratum of metrics.json; empty where the level or the metric is null."""
    found = (values or {}).get(metric)
    entry: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    return Number(
        value=_finite(entry.get("value")),
        low=_finite(entry.get("low")),
        high=_finite(entry.get("high")),
        n_images=entry.get("n_images"),
        n_cases=entry.get("n_cases"),
    )


def numbers_in(block: Mapping[str, Any] | None, *path: str) -> Mapping[str, Any]:
    """Return a mapping inside mappings; empty where a part of the path is missing or null."""
    found: Any = block
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def difference_of(control: Mapping[str, Any], task: Task, metric: str, *, protocol: Protocol, level: Level) -> Number:
    """Return the model's metric minus a control's, paired by case; empty where it was not computed."""
    return number_of(numbers_in(control, "difference", task, protocol, level), metric)


def decimal_of(value: Any, places: int = 3) -> str:
    """Return a number with this many decimals and a real minus sign, or a dash where it is no finite number."""
    known = _finite(value)
    return "–" if known is None else f"{known:.{places}f}".replace("-", "−")


def class_number(block: Mapping[str, Any] | None, metric: str) -> Number:
    """Return a metric of one class of `per_class`; its counts are those of the class."""
    known = block or {}
    interval = (known.get("intervals") or {}).get(metric) or {}
    return Number(
        value=_finite(known.get(metric)),
        low=_finite(interval.get("low")),
        high=_finite(interval.get("high")),
        n_images=known.get("n_images"),
        n_cases=known.get("n_cases"),
    )


def level_of(document: Mapping[str, Any], task: Task, *, protocol: Protocol, level: Level) -> Mapping[str, Any] | None:
    """Return one level of metrics.json (or of one of its controls), None where the task or protocol is null."""
    return numbers_in(document, task, protocol, level) or None


def headline_protocol(document: Mapping[str, Any], task: Task = "binary") -> Protocol | None:
    """Return `folds` where there are out-of-fold predictions, else `holdout`, else `predict`, else None."""
    best_first: tuple[Protocol, ...] = ("folds", "holdout", "predict")
    return next((name for name in best_first if level_of(document, task, protocol=name, level="image")), None)


def magnifications_of(values: Mapping[str, Any] | None) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the strata of a level by magnification, smallest first, those of unknown magnification last."""
    strata = (values or {}).get("by_magnification") or {}
    return sorted(strata.items(), key=lambda item: (not item[0].isdigit(), int(item[0]) if item[0].isdigit() else 0))


def magnification_name(key: str) -> str:
    """Return `40X` for "40", `not known` for what is not a number."""
    return f"{key}X" if key.isdigit() else "not known"


def percent(value: float | None) -> str:
    """Return a share as a whole per cent: 0.914 -> `91 %` (with a no-break space)."""
    return "–" if value is None else f"{100 * value:.0f}\u00a0%"


def spelled(number: Number, *, difference: bool = False) -> str:
    """Return a number as it stands in a sentence, with its interval or why there is none."""
    if number.value is None:
        return "– (not defined)"
    if not number.has_interval:
        return f"{number.value_text} (no interval: too few cases, or nothing that varies)"
    interval = number.span_text if difference else number.interval_text
    return f"{number.value_text} (95\u00a0% interval {interval})"


def count(number: int | None, noun: str) -> str:
    """Return `1 case`, `7,909 images`, or nothing where the number is not known."""
    return "" if number is None else f"{number:,} {noun}{'' if number == 1 else 's'}"


def _decimals(value: float) -> str:
    return decimal_of(value)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
