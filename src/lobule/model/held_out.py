"""Puts what each fit says of the images it did not see into one table of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lobule.evaluation.predictions import Predictions, assemble_predictions
from lobule.taxonomy import Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest
    from lobule.model.plan import Fit

__all__ = ["held_out_predictions"]


def held_out_predictions(
    manifest: Manifest,
    fits: Sequence[Fit],
    logits: Mapping[Task, Sequence[NDArray[np.float32]]],
    *,
    model_id: str,
    novelty: Mapping[int, tuple[NDArray[np.float64], Sequence[str]]] | None = None,
) -> Predictions:
    """Return out-of-fold and holdout predictions.

    Args:
        manifest: n images.
        fits: which images each fit held out; the final model holds out none and is passed over.
        logits: by task, for each fit the logits of its validation images, (n_validation, C), in manifest order.
        model_id: names the run that the fits belong to.
        novelty: by index of the fit, novelty of its validation images and why each is refused ("": it is not), as of
            `lobule.model.novelty.held_out_novelty`; None: nothing is refused.
    """
    parts = [
        _of_protocol(
            manifest,
            [(index, fit) for index, fit in enumerate(fits) if fit.protocol == protocol],
            logits,
            novelty,
            name,
        )
        for protocol, name in (("holdout", f"{model_id}-holdout"), ("folds", f"{model_id}-folds"))
    ]
    return Predictions.join(parts)


def _of_protocol(
    manifest: Manifest,
    fits: Sequence[tuple[int, Fit]],
    logits: Mapping[Task, Sequence[NDArray[np.float32]]],
    novelty: Mapping[int, tuple[NDArray[np.float64], Sequence[str]]] | None,
    model_id: str,
) -> Predictions:
    fold = np.full(len(manifest), -1, dtype=np.int64)
    held_out = np.zeros(len(manifest), dtype=bool)
    scores, reasons = np.full(len(manifest), np.nan), np.full(len(manifest), "", dtype=object)
    table = {task: np.full((len(manifest), _outputs(task)), np.nan) for task in logits}
    for index, fit in fits:
        fold[fit.validation] = fit.fold
        held_out |= fit.validation
        if novelty is not None and index in novelty:
            scores[fit.validation], reasons[fit.validation] = novelty[index]
        for task in logits:
            table[task][fit.validation] = logits[task][index]
    protocol = fits[0][1].protocol
    assert protocol != "final"
    subtype = table.get("subtype")
    return assemble_predictions(
        manifest.frame[held_out],
        protocol=protocol,
        fold=fold[held_out],
        logits_binary=table["binary"][held_out],
        logits_subtype=None if subtype is None else subtype[held_out],
        novelty=scores[held_out],
        refusals=reasons[held_out].tolist(),
        model_id=model_id,
    )


def _outputs(task: Task) -> int:
    return 1 if task == "binary" else len(classes_of(task))
