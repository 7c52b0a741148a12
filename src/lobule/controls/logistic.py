"""Logistic regression on any features, over the same splits as the heads: the rival they must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lobule.model.side_by_side import side_by_side
from lobule.taxonomy import Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lobule.model.plan import Fit

__all__ = ["PLAIN_C", "logistic_logits"]

PLAIN_C = 0.003
"""Inverse penalty of the plain recipe: scikit-learn's `LogisticRegression(C=0.003, class_weight="balanced")`."""

_TOLERANCE = 1e-3  # A third of the time of the default; on many correlated features logits stay some tenths off.
_ABSENT = -30.0  # Logit of a class that no training image has: a probability of about 1e-13.


def logistic_logits(
    task: Task, features: NDArray[np.float32], targets: NDArray[np.int64], fits: Sequence[Fit], *, c: float = PLAIN_C
) -> list[NDArray[np.float32]]:
    """Fit a logistic regression on each fit's training images; return logits of its validation images.

    Features are standardised by the training images. Every view of an image is trained on, and an image's logits
    are averaged over its views.

    Args:
        task: which task.
        features: (V, n, D).
        targets: (n,) class index; -1 where it is unknown.
        fits: which images to train on and to predict; those without validation images give an empty array.
        c: inverse strength of the L2 penalty.

    Returns:
        For each fit (n_validation, C), C = 1 for the binary task, else 8.
    """
    with side_by_side(len(fits)) as pool:
        return list(pool.map(lambda fit: _fit_one(task, features, targets, fit, c), fits))


def _fit_one(
    task: Task, features: NDArray[np.float32], targets: NDArray[np.int64], fit: Fit, c: float
) -> NDArray[np.float32]:
    from sklearn.linear_model import LogisticRegression

    outputs = 1 if task == "binary" else len(classes_of(task))
    logits = np.full((int(fit.validation.sum()), outputs), 0.0 if outputs == 1 else _ABSENT, dtype=np.float32)
    train = fit.train & (targets >= 0)
    if not len(logits) or len(np.unique(targets[train])) < 2:
        return logits
    mean, scale = features[:, train].mean(axis=(0, 1)), features[:, train].std(axis=(0, 1)) + 1e-6
    standardised = (features - mean) / scale
    views, size = len(features), features.shape[-1]
    model = LogisticRegression(C=c, class_weight="balanced", max_iter=1000, tol=_TOLERANCE)
    model.fit(standardised[:, train].reshape(-1, size), np.tile(targets[train], views))
    held_out = standardised[:, fit.validation].mean(axis=0)
    decision = model.decision_function(held_out)
    if outputs == 1:
        logits[:, 0] = decision
    else:
        _spread(logits, decision, model.classes_)
    return logits


def _spread(logits: NDArray[np.float32], decision: NDArray[np.float64], classes: NDArray[np.int64]) -> None:
    """Put scikit-learn's columns where their classes are; with two classes it gives one column."""
    if decision.ndim == 1:
        decision = np.stack([-decision / 2, decision / 2], axis=1)
    logits[:, classes] = decision
