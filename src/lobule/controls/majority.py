"""The rival that looks at nothing: how frequent each class is among the training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lobule.taxonomy import Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lobule.model.plan import Fit

__all__ = ["majority_logits"]

_ADDED = 1
"""Images added to each class (Laplace's rule), so that a class that was never seen is unlikely, not impossible."""


def majority_logits(task: Task, targets: NDArray[np.int64], fits: Sequence[Fit]) -> list[NDArray[np.float32]]:
    """Return the same logits for all validation images of a fit: log-odds, or log frequencies, of its training images.

    The frequency of a class is (images of the class + 1) / (images + classes). Pooled over folds the AUROC falls a
    little below 0.5: a fold that was dealt more malignant images leaves fewer to train on.

    Args:
        task: which task.
        targets: (n,) class index; -1 where it is unknown, not counted.
        fits: which images to count and to predict.

    Returns:
        For each fit (n_validation, C), C = 1 for the binary task, else 8.
    """
    logits = []
    for fit in fits:
        known = targets[fit.train & (targets >= 0)]
        frequencies = np.bincount(known, minlength=len(classes_of(task))) + _ADDED
        answer = np.log(frequencies / frequencies.sum())
        if task == "binary":
            answer = answer[1:] - answer[:1]
        logits.append(np.tile(answer.astype(np.float32), (int(fit.validation.sum()), 1)))
    return logits
