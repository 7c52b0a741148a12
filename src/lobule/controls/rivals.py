"""What each rival predicts on the splits of the model, from the model's own features or from colour alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobule.controls.colour_only import colour_features
from lobule.controls.logistic import logistic_logits
from lobule.model.held_out import held_out_predictions
from lobule.model.plan import targets_of
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest
    from lobule.evaluation.predictions import Predictions
    from lobule.model.plan import Fit
    from lobule.taxonomy import Task

__all__ = ["rival_predictions"]


def rival_predictions(
    manifest: Manifest,
    features: NDArray[np.float32],
    fits: Sequence[Fit],
    tasks: Sequence[Task],
    *,
    run_id: str,
    progress: Progress = silent,
) -> dict[str, Predictions]:
    """Return the held-out predictions of each rival, by its name in metrics.json.

    `colour_only` is a logistic regression on fifteen colour numbers; `plain_recipe` the same on the model's own
    features (V, n, D). Both see exactly the images that the model's fits see.
    """
    rivals = {"colour_only": colour_features(manifest, progress=progress), "plain_recipe": features[:1]}
    predictions = {}
    for done, (name, known) in enumerate(rivals.items(), start=1):
        logits = {task: logistic_logits(task, known, targets_of(manifest.frame, task), fits) for task in tasks}
        predictions[name] = held_out_predictions(manifest, fits, logits, model_id=f"{run_id}-{name}")
        progress("controls", done, len(rivals))
    return predictions
