"""What can be said of a model whose every fold has an encoder of its own: predictions, refusals, rivals, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lobule.assessment import Assessment, score
from lobule.controls.colour_only import colour_features
from lobule.controls.logistic import logistic_logits
from lobule.controls.majority import majority_logits
from lobule.controls.same_model import fits_by_image, retrained_logits, with_permuted_labels
from lobule.evaluation.decision.decide import decide, decided
from lobule.features.statistics import statistics_of
from lobule.model.held_out import held_out_predictions
from lobule.model.novelty import fit_novelty, held_out_novelty
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

__all__ = ["assess_fits"]


def assess_fits(
    manifest: Manifest,
    features_of: Sequence[Features],
    fits: Sequence[Fit],
    trained: Trained,
    *,
    config: Config,
    run_id: str,
    progress: Progress = silent,
) -> Assessment:
    """Predict what was held out, with the model and with its rivals, and score all of it.

    As `lobule.assessment.assess`, but everything that is said of an image comes from the encoder of the fit that held
    it out, refusals included.

    Args:
        manifest: n images.
        features_of: of all images, by the encoder of each fit; the identity view is the first.
        fits: the trainings.
        trained: what they gave.
        config: the run's settings.
        run_id: names the run in predictions.
        progress: told about every stage.
    """
    statistics, cases = statistics_of(manifest, progress=progress), manifest.frame["case_id"].to_numpy(dtype=str)
    rate = config.novelty.false_refusal
    novelty = {}
    for index, (features, fit) in enumerate(zip(features_of, fits, strict=True)):
        plain = features.values[0]
        for found in held_out_novelty(plain, statistics, [fit], cases=cases, false_refusal=rate).values():
            novelty[index] = found
    refusing = fit_novelty(features_of[-1].values[0], statistics, cases=cases, false_refusal=rate)
    held_out = held_out_predictions(manifest, fits, trained.logits, model_id=run_id, novelty=novelty)
    decisions = decide(held_out, config.decision)
    predictions = decided(held_out, decisions)
    rivals = _rivals(manifest, features_of, fits, trained, config=config, run_id=run_id, progress=progress)
    metrics = score(predictions, rivals, config=config, progress=progress)
    return Assessment(predictions, decisions, rivals, metrics, refusing, None)


def _rivals(
    manifest: Manifest,
    features_of: Sequence[Features],
    fits: Sequence[Fit],
    trained: Trained,
    *,
    config: Config,
    run_id: str,
    progress: Progress,
) -> dict[str, Predictions]:
    """Return the rivals of `lobule.controls.rivals.rival_predictions`, each fit on the features of its own encoder.

    `image_split` alone uses the final encoder for all, which has seen every image: whoever splits by image would.
    """
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
        retrained_logits(permuted.frame, each.values, [fit], epochs=epochs, config=config)
        for each, fit in zip(known, held_out, strict=True)
    ]
    progress("controls", 1, 2)
    cheating = retrained_logits(frame, features_of[-1].values, by_image, epochs=epochs, config=config)
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
