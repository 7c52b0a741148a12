"""Heads that never saw a magnification, tested on it, beside heads that did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lobule.controls.same_model import Retraining, retrained_logits
from lobule.evaluation.intervals import MIN_CASES
from lobule.model.plan import trainable_tasks
from lobule.taxonomy import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.data.manifest import Manifest
    from lobule.model.plan import Fit

__all__ = ["LeftOut", "leave_one_magnification_out"]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """The out-of-fold images of one magnification, judged twice.

    Attributes:
        magnification: which.
        rows: (m,) their rows in the manifest, sorted.
        without: (m,) logit of malignant by the heads that were trained without the magnification.
        beside: (m,) logit by the heads that were trained on all magnifications.
    """

    magnification: int
    rows: NDArray[np.intp]
    without: NDArray[np.float64]
    beside: NDArray[np.float64]


def leave_one_magnification_out(
    manifest: Manifest, features: NDArray[np.float32], fits: Sequence[Fit], *, epochs: int, config: Config
) -> list[LeftOut]:
    """Train each fold's head without each magnification, and once with all, and test both on it in held-out cases.

    All are the model's own heads, with its settings and seed. Magnifications with fewer than five cases of a label are
    left out, and so are those without which some fold could not be trained.

    Args:
        manifest: n images.
        features: (V, n, D).
        fits: the model's trainings; the folds are used.
        epochs: number of epochs of all of them.
        config: the run's settings.
    """
    folds = [fit for fit in fits if fit.protocol == "folds"]
    at = {number: _at(manifest.frame, number) for number in _enough_cases(manifest.frame)}
    left_out = {
        number: [replace(fit, train=fit.train & ~there, validation=fit.validation & there) for fit in folds]
        for number, there in at.items()
    }
    left_out = {
        number: group for number, group in left_out.items() if "binary" in trainable_tasks(manifest.frame, group)
    }
    if not left_out:
        return []
    every = [*folds, *(fit for group in left_out.values() for fit in group)]
    retraining = Retraining(manifest.frame, every)
    logits = retrained_logits([retraining], features, epochs={"binary": epochs}, config=config)[0]["binary"]
    beside = _in_rows(folds, logits[: len(folds)])
    tested = []
    for place, (number, group) in enumerate(left_out.items(), start=1):
        without = _in_rows(group, logits[place * len(folds) : (place + 1) * len(folds)])
        rows = np.flatnonzero(~np.isnan(without))
        tested.append(LeftOut(number, rows, without[rows], beside[rows]))
    return tested


def _enough_cases(frame: pd.DataFrame) -> list[int]:
    cases = frame.dropna(subset=["magnification"]).groupby(["magnification", "label"])["case_id"].nunique()
    table = cases.unstack("label").reindex(columns=list(LABELS)).fillna(0)
    return [int(number) for number in table.index[(table >= MIN_CASES).all(axis=1)]]


def _at(frame: pd.DataFrame, magnification: int) -> NDArray[np.bool_]:
    return np.asarray((frame["magnification"] == magnification).fillna(False), dtype=bool)


def _in_rows(fits: Sequence[Fit], logits: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return (n,) the logit of each image by the fit that held it out; NaN where none did."""
    rows = np.full(len(fits[0].train), np.nan)
    for fit, of_fit in zip(fits, logits, strict=True):
        rows[fit.validation] = of_fit[:, 0]
    return rows
