"""How wrong logits are, image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["losses", "weighted_mean"]


def losses(
    logits: NDArray[np.floating[Any]], targets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cross-entropy (nats) and the correctness (0 or 1) of each image, (n,) both.

    Args:
        logits: (n, 1) of the malignant class, or (n, C).
        targets: (n,) class index; the values of an image of unknown class (-1) mean nothing.
    """
    scores = logits.astype(np.float64)
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    of_target = np.take_along_axis(scores, targets[:, None], axis=1)[:, 0]
    return np.logaddexp.reduce(scores, axis=1) - of_target, (scores.argmax(axis=1) == targets).astype(float)


def weighted_mean(values: NDArray[Any], weights: NDArray[Any]) -> float:
    """Return the weighted mean of values (n,); nan where no weight is positive."""
    return float(np.average(values, weights=weights)) if weights.sum() > 0 else float("nan")
