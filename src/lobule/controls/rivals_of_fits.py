"""The rivals of a model whose fits each have an encoder and settings of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lobule.controls.colour_only import colour_features
from lobule.controls.logistic import logistic_logits
from lobule.controls.majority import majority_logits
from lobule.controls.same_model import Retraining, fits_by_image, retrained_logits, with_permuted_labels
from lobule.model.held_out import held_out_predictions
from lobule.model.plan import targets_of
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.data.manifest import Manifest
    from lobule.evaluation.predictions import Predictions
    from lobule.features.extract import Features
    from lobule.model.plan import Fit
    from lobule.model.stages import Trained
    from lobule.taxonomy import Task

__all__ = ["rivals_of_fits"]


def rivals_of_fits(
    manifest: Manifest,
    features_of: Sequence[Features],
    fits: Sequence[Fit],
    trained: Trained,
    *,
    configs: Sequence[Config],
    run_id: str,
    progress: Progress = silent,
) -> dict[str, Predictions]:
    """Return what `rival_predictions` does, each fit on the features of its own encoder and with its own settings.

    `image_split` alone uses the final encoder for all, which has seen every image: whoever splits by image would.

    Args:
        manifest: n images.
        features_of: of all images, by the encoder of each fit.
        fits: the model's trainings.
        trained: what they gave.
        configs: the settings of each fit.
        run_id: names the run.
        progress: told after what is trained anew on its own folds, and at the end.
    """
    config = configs[-1]
    held_out = [fit for fit in fits if fit.protocol != "final"]
    known = features_of[: len(held_out)]
    frame, tasks = manifest.frame, list(trained.heads)
    targets = {task: targets_of(frame, task) for task in tasks}
    epochs = {task: round(float(np.median(trained.epochs[task]))) for task in tasks}
    colours = colour_features(manifest, progress=progress)
    by_image = fits_by_image(held_out, frame["label"], seed=config.seed)
    permuted = with_permuted_labels(manifest, seed=config.seed)

    def plain(task: Task) -> list[NDArray[np.float32]]:
        pairs = zip(known, held_out, strict=True)
        return [logistic_logits(task, each.values[:1], targets[task], [fit])[0] for each, fit in pairs]

    without = [
        retrained_logits([Retraining(permuted.frame, [fit])], each.values, epochs=epochs, config=own)[0]
        for each, fit, own in zip(known, held_out, configs[: len(held_out)], strict=True)
    ]
    progress("controls", 1, 2)
    leaking = Retraining(frame, by_image)
    (cheating,) = retrained_logits([leaking], features_of[-1].values, epochs=epochs, config=config)
    logits = {
        "majority": {task: majority_logits(task, targets[task], held_out) for task in tasks},
        "colour_only": {task: logistic_logits(task, colours, targets[task], held_out) for task in tasks},
        "plain_recipe": {task: plain(task) for task in tasks},
        "image_split": cheating,
        "permuted_labels": {task: [each[task][0] for each in without] for task in tasks},
    }
    progress("controls", 2, 2)
    labelled = {"permuted_labels": permuted}
    divided = {"image_split": by_image}
    return {
        name: held_out_predictions(
            labelled.get(name, manifest), divided.get(name, held_out), found, model_id=f"{run_id}-{name}"
        )
        for name, found in logits.items()
    }
