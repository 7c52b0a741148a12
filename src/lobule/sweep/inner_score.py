"""How good a configuration is on the inner folds of one outer fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lobule.model.loss import losses, weighted_mean
from lobule.model.plan import sample_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lobule.model.parallel_heads import TaskData
    from lobule.sweep.nested import InnerFit, Part

__all__ = ["InnerScore", "inner_score", "score_logits"]


@dataclass(frozen=True)
class InnerScore:
    """What a configuration reaches on inner folds.

    Attributes:
        value: the objective; more is better.
        epochs: number of epochs that the inner folds choose, as `lobule.model.fit.choose_epochs` would.
    """

    value: float
    epochs: int


def inner_score(
    data: TaskData,
    part: Part,
    inner: tuple[InnerFit, ...],
    logits: Mapping[int, NDArray[np.float32]],
    *,
    objective: str,
) -> InnerScore:
    """Score what the inner fits of an outer fit say of the images that they held out.

    The best epoch of an inner fold is that of its lowest loss, classes weighing the same; a fold is judged at the
    median over the other folds, so that it has no say in the epoch at which it is judged itself.

    Args:
        data: of the binary task.
        part: the outer fit.
        inner: all inner fits.
        logits: by inner fit, (epochs, n_watch) of the images that it watches.
        objective: `auroc` or `log_loss`.
    """
    weights = sample_weights(data.targets, data.cases, part.fit.train, case_power=0.0, balanced=True)
    # A head that diverged says nothing.
    said = {index: _finite(logits[index][:, rows[inner[index].watch]]) for index, rows in part.folds}
    best = {}
    for index, rows in part.folds:
        known = rows & (data.targets >= 0)
        curve = [_loss(row, rows, known, data, weights) for row in said[index]]
        best[index] = 1 + int(np.argmin(curve))
    table = np.full(len(data.targets), np.nan)
    for index, rows in part.folds:
        others = [epoch for key, epoch in best.items() if key != index]
        table[rows] = said[index][round(float(np.median(others))) - 1]
    judged = part.fit.train & np.isfinite(table) & (data.targets >= 0)
    epochs = round(float(np.median(list(best.values()))))
    return InnerScore(score_logits(table, judged, data, objective=objective), epochs)


def score_logits(logits: NDArray[np.floating], judged: NDArray[np.bool_], data: TaskData, *, objective: str) -> float:
    """Return the objective over some images; more is better.

    Args:
        logits: (n,) of malignancy.
        judged: (n,) which images count; both labels are among them.
        data: of the binary task.
        objective: `auroc`, or `log_loss` (nats, negative), every case weighing the same within its label and both
            labels the same.
    """
    targets = data.targets[judged]
    if objective == "auroc":
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(targets, logits[judged]))
    weights = sample_weights(data.targets, data.cases, judged, case_power=1.0, balanced=True)[judged]
    errors, _ = losses(logits[judged][:, None], targets)
    return -weighted_mean(errors, weights)


def _finite(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(logits, nan=0.0, posinf=0.0, neginf=0.0)


def _loss(
    logits: NDArray[np.float32],
    rows: NDArray[np.bool_],
    known: NDArray[np.bool_],
    data: TaskData,
    weights: NDArray[np.float32],
) -> float:
    errors, _ = losses(logits[known[rows]][:, None], data.targets[known])
    return weighted_mean(errors, weights[known])
