"""Which configurations are tried: Optuna draws them, always the same ones for the same seed and scores."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from lobule.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lobule.sweep.space import Space

__all__ = ["Sampler", "import_optuna"]


def import_optuna() -> Any:
    """Return Optuna, which says nothing but warnings.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise MissingExtraError("lobule sweep", "sweep") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Sampler:
    """Draws configurations one batch after the other.

    Args:
        space: what is searched.
        kind: `random`, or `tpe`, which is told scores.
        seed: fixes the draws.
    """

    def __init__(self, space: Space, *, kind: str, seed: int) -> None:
        optuna = import_optuna()
        self._space = space
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = (
                optuna.samplers.RandomSampler(seed=seed)
                if kind == "random"
                # A batch is drawn before any of it is scored: the constant liar keeps its draws apart.
                else optuna.samplers.TPESampler(seed=seed, constant_liar=True)
            )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._open: list[Any] = []

    def draw(self, count: int) -> list[dict[str, Any]]:
        """Return settings by name, `count` times."""
        self._open = [self._study.ask() for _ in range(count)]
        return [self._space.draw(trial) for trial in self._open]

    def tell(self, scores: Sequence[float]) -> None:
        """Tell the scores of the batch that was drawn last; more is better."""
        for trial, score in zip(self._open, scores, strict=True):
            self._study.tell(trial, score)
