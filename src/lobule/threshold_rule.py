"""How a threshold is chosen: a setting that the ground must be able to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lobule.errors import ConfigError

__all__ = ["ALLOWED", "ThresholdRule", "parse_rule"]

ALLOWED = "balanced_accuracy, sensitivity:0.95 (any share) or fixed:0.5 (any probability above 0 and below 1)"


@dataclass(frozen=True)
class ThresholdRule:
    """How a threshold is chosen.

    Attributes:
        kind: `balanced_accuracy`: the largest; `sensitivity`: the highest threshold that finds at least `wanted` of the
            malignant; `fixed`: `wanted` itself.
        wanted: a share or a probability; not used for `balanced_accuracy`.
    """

    kind: Literal["balanced_accuracy", "sensitivity", "fixed"]
    wanted: float = 0.5

    @property
    def words(self) -> str:
        """The rule as a phrase for people."""
        if self.kind == "fixed":
            return "fixed: malignant if P(malignant) is at least this"
        if self.kind == "sensitivity":
            return f"the highest with a sensitivity of at least {self.wanted:g} on pooled out-of-fold predictions"
        return "the largest balanced accuracy on pooled out-of-fold predictions"


def parse_rule(text: str) -> ThresholdRule:
    """Read a rule such as `balanced_accuracy`, `sensitivity:0.95` or `fixed:0.5`; a number alone is fixed.

    Raises:
        ConfigError: it is none of these.
    """
    kind, _, number = text.strip().partition(":")
    if not number and kind != "balanced_accuracy":
        kind, number = "fixed", kind
    if kind == "balanced_accuracy" and not number:
        return ThresholdRule("balanced_accuracy")
    try:
        wanted = float(number)
    except ValueError:
        wanted = float("nan")
    if kind == "sensitivity" and 0 < wanted <= 1:
        return ThresholdRule("sensitivity", wanted)
    if kind == "fixed" and 0 < wanted < 1:
        return ThresholdRule("fixed", wanted)
    raise ConfigError(f"threshold: allowed is {ALLOWED}; received {text!r}.")
