"""What a sweep searches, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lobule.config import Config
from lobule.sweep.space import Space, default_space

__all__ = ["SweepPlan", "SweepSettings"]


class SweepSettings(BaseModel):
    """How many configurations are tried, how they are drawn, and what decides between them."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    trials: int = Field(200, ge=1, le=100_000, description="Configurations that are tried, the given one included.")
    sampler: Literal["random", "tpe"] = Field(
        "random",
        description="How they are drawn. random: one list for all outer fits, which no result has a say in. tpe "
        "(Bergstra et al., 2011): a list of that length for each outer fit, each drawn by the inner scores so far.",
    )
    objective: Literal["auroc", "log_loss"] = Field(
        "auroc",
        description="What is best on the inner folds. auroc: of the binary task, by image, pooled over the folds. "
        "log_loss: its cross-entropy, cases and classes weighing the same.",
    )
    finalists: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of the configurations that are trained in full, for each outer fit its own; the others stop "
        "after a quarter of the epochs. 1: all are trained in full. Of no effect with tpe.",
    )


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep searches and how.

    Attributes:
        config: the given settings: the first configuration, and all that is not searched.
        settings: how many are tried, how they are drawn, what decides.
        space: what is searched; None: `default_space`.
    """

    config: Config = field(default_factory=Config)
    settings: SweepSettings = field(default_factory=SweepSettings)
    space: Space | None = None

    @property
    def searched(self) -> Space:
        """The space, or the usual one."""
        return self.space or default_space(self.config)
