"""The heads of fits that each have an encoder of their own: the ordinary heads, trained fit by fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lobule.model.fit import choose_epochs, mean_logits, train_task
from lobule.model.parallel_heads import TaskData
from lobule.model.plan import targets_of, trainable_tasks
from lobule.model.stages import Trained
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.data.manifest import Manifest
    from lobule.features.extract import Features
    from lobule.model.head import Head
    from lobule.model.plan import Fit
    from lobule.taxonomy import Task

__all__ = ["train_heads_of"]


def train_heads_of(
    manifest: Manifest,
    features_of: Sequence[Features],
    fits: Sequence[Fit],
    *,
    config: Config,
    progress: Progress = silent,
) -> Trained:
    """Train the heads of every fit on the features of its own encoder, the number of epochs chosen over the folds.

    Args:
        manifest: n images.
        features_of: of all images, by the encoder of each fit.
        fits: the trainings.
        config: the run's settings.
        progress: told the number of trained fits.
    """
    cases = manifest.frame["case_id"].to_numpy(dtype=str)
    heads: dict[Task, list[Head]] = {}
    epochs: dict[Task, tuple[int, ...]] = {}
    histories = []
    tasks = trainable_tasks(manifest.frame, fits)
    for task in tasks:
        watched: list[dict[int, list[Head]]] = []
        curves = []
        for number, (features, fit) in enumerate(zip(features_of, fits, strict=True), start=1):
            data = TaskData(task, features.values, targets_of(manifest.frame, task), cases)
            of_epochs: dict[int, list[Head]] = {}
            result = train_task(data, [fit], config.head, seed=config.seed, on_epoch=of_epochs.__setitem__)
            watched.append(of_epochs)
            curves.append(result.history)
            progress(f"train {task} heads", number, len(fits))
        history = pd.concat(curves, ignore_index=True)
        epochs[task] = choose_epochs(history, fits)
        heads[task] = [of_epochs[epoch][0] for of_epochs, epoch in zip(watched, epochs[task], strict=True)]
        histories.append(history)
    return Trained(
        encoders=[features.spec for features in features_of],
        heads=heads,
        logits={task: _logits(heads[task], features_of, fits) for task in tasks},
        epochs=epochs,
        history=pd.concat(histories, ignore_index=True),
    )


def _logits(heads: Sequence[Head], features_of: Sequence[Features], fits: Sequence[Fit]) -> list[NDArray[np.float32]]:
    return [
        mean_logits(head, features.values[:, fit.validation])
        for head, features, fit in zip(heads, features_of, fits, strict=True)
    ]
