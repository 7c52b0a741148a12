"""What each rival predicts beside the model: four that should lose, and one that wins by cheating."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

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

__all__ = ["RIVALS", "rival_predictions"]

RIVALS: Final = ("majority", "colour_only", "plain_recipe", "image_split", "permuted_labels")
"""Their names, in the order of metrics.json."""


def rival_predictions(
    manifest: Manifest,
    features: Features,
    fits: Sequence[Fit],
    tasks: Sequence[Task],
    *,
    trained: Trained,
    config: Config,
    run_id: str,
    progress: Progress = silent,
) -> dict[str, Predictions]:
    """Return the held-out predictions of each rival, by its name in metrics.json and in its order there.

    - `majority`: how frequent each class is among a fit's training images, whatever the image shows.
    - `colour_only`: a logistic regression on fifteen colour numbers.
    - `plain_recipe`: the same on the model's own features, first view.
    - `image_split`: the model itself, trained anew on a split by image of the same sizes. What it gains over the model
      is the price of cheating. Its column `fold` is that of the split by image.
    - `permuted_labels`: the model itself, trained anew on labels permuted between cases **and scored against them**:
      its rows carry the permuted labels. It measures not the model but the evaluation: nothing can be learned but what
      leaks from training into validation, so that its AUROC is about 0.5 if, and only if, nothing leaks.

    The first three and the last see exactly the images that the model's fits see. The last two have the model's
    settings and seed, and the median of its numbers of epochs; where the model was fine-tuned, they are its frozen
    stage.

    Args:
        manifest: n images.
        features: of these images.
        fits: the model's trainings.
        tasks: which tasks.
        trained: what they gave.
        config: the run's settings.
        run_id: names the run.
        progress: told after each rival, and of the last two together: they are trained side by side.
    """
    held_out = [fit for fit in fits if fit.protocol != "final"]
    targets = {task: targets_of(manifest.frame, task) for task in tasks}
    epochs = {task: round(float(np.median(trained.epochs[task]))) for task in tasks}

    def predictions(name: str, logits: Callable[[Task], list[NDArray[np.float32]]]) -> Predictions:
        by_task = {task: logits(task) for task in tasks}
        return held_out_predictions(manifest, held_out, by_task, model_id=f"{run_id}-{name}")

    def logistic(name: str, known: NDArray[np.float32]) -> Predictions:
        return predictions(name, lambda task: logistic_logits(task, known, targets[task], held_out))

    by_image = fits_by_image(held_out, manifest.frame["label"], seed=config.seed)
    permuted = with_permuted_labels(manifest, seed=config.seed)
    simple: dict[str, Callable[[str], Predictions]] = {
        "majority": lambda name: predictions(name, lambda task: majority_logits(task, targets[task], held_out)),
        "colour_only": lambda name: logistic(name, colour_features(manifest, progress=progress)),
        "plain_recipe": lambda name: logistic(name, features.values[:1]),
    }
    made = {}
    for done, (name, make) in enumerate(simple.items(), start=1):
        made[name] = make(name)
        progress("controls", done, len(RIVALS))
    trained_anew = {"image_split": (manifest, by_image), "permuted_labels": (permuted, held_out)}
    logits = retrained_logits(
        [Retraining(labelled.frame, fits) for labelled, fits in trained_anew.values()],
        features.values,
        epochs=epochs,
        config=config,
    )
    for (name, (labelled, fits)), by_task in zip(trained_anew.items(), logits, strict=True):
        made[name] = held_out_predictions(labelled, fits, by_task, model_id=f"{run_id}-{name}")
    progress("controls", len(RIVALS), len(RIVALS))
    return made
