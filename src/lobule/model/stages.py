"""The two stages of training, each on every fit that is asked for: heads on frozen features, then fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from lobule.model.finetune import Examples, FinetunePlan, finetune_once, training_folder
from lobule.model.fit import mean_logits, train_tasks
from lobule.model.image_source import open_images
from lobule.model.parallel_heads import TaskData
from lobule.model.plan import targets_of, trainable_tasks
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.data.manifest import Manifest
    from lobule.features.extract import Features
    from lobule.features.spec import EncoderSpec
    from lobule.model.finetune import Finetuned
    from lobule.model.head import Head
    from lobule.model.plan import Fit
    from lobule.taxonomy import Task

__all__ = ["Trained", "finetune", "train_heads"]

_Item = TypeVar("_Item")


@dataclass(frozen=True, eq=False)
class Trained:
    """What training gives; every sequence is in the order of the fits, the final model last.

    Attributes:
        encoders: the backbone of each fit: the frozen one, or its own where it was fine-tuned.
        heads: by task, the head of each fit.
        logits: by task, what each fit says of its validation images, (n_validation, C).
        epochs: by task, how many epochs each head was trained on frozen features.
        history: the columns `lobule.model.fit.HISTORY_COLUMNS`; fold -1 outside the folds.
    """

    encoders: Sequence[EncoderSpec]
    heads: Mapping[Task, Sequence[Head]]
    logits: Mapping[Task, Sequence[NDArray[np.float32]]]
    epochs: Mapping[Task, Sequence[int]]
    history: pd.DataFrame

    @property
    def shipped(self) -> dict[Task, Head]:
        """The heads of the final model."""
        return {task: heads[-1] for task, heads in self.heads.items()}

    def with_finetuned(
        self, index: int, result: Finetuned, logits_of_validation: Mapping[Task, NDArray[np.float32]]
    ) -> Trained:
        """Return the same with one fit replaced by its fine-tuned self."""
        return replace(
            self,
            encoders=_put(self.encoders, index, result.encoder),
            heads={task: _put(heads, index, result.heads[task]) for task, heads in self.heads.items()},
            logits={task: _put(logits, index, logits_of_validation[task]) for task, logits in self.logits.items()},
            history=pd.concat([self.history, result.history], ignore_index=True),
        )


def train_heads(
    manifest: Manifest, features: Features, fits: Sequence[Fit], *, config: Config, progress: Progress = silent
) -> Trained:
    """Train the heads of every fit on frozen features; a task that some fit has no image of is left out."""
    cases = manifest.frame["case_id"].to_numpy(dtype=str)
    tasks = [
        TaskData(task, features.values, targets_of(manifest.frame, task), cases)
        for task in trainable_tasks(manifest.frame, fits)
    ]
    trained = train_tasks(tasks, fits, config.head, seed=config.seed, progress=progress)
    results = {result.task: result for result in trained}
    logits = {
        task: [
            mean_logits(head, features.values[:, fit.validation]) for head, fit in zip(result.heads, fits, strict=True)
        ]
        for task, result in results.items()
    }
    return Trained(
        encoders=[features.spec] * len(fits),
        heads={task: result.heads for task, result in results.items()},
        logits=logits,
        epochs={task: result.epochs for task, result in results.items()},
        history=pd.concat([result.history for result in results.values()], ignore_index=True),
    )


def finetune(
    trained: Trained,
    manifest: Manifest,
    fits: Sequence[Fit],
    *,
    config: Config,
    run: Path,
    progress: Progress = silent,
) -> Trained:
    """Fine-tune the holdout (and the folds, if asked), then the final model for the number of epochs found so.

    A fold is predicted at the median best epoch of the *other* folds; the holdout at its own best, which flatters it.

    Args:
        trained: the frozen stage.
        manifest: the images.
        fits: as in the frozen stage.
        config: the run's settings.
        run: the run folder, where checkpoints are kept.
        progress: told the epochs.
    """
    frame = manifest.frame
    examples = Examples(
        open_images(manifest.paths, size=trained.encoders[0].architecture.input_size, progress=progress),
        {task: targets_of(frame, task) for task in trained.heads},
        frame["case_id"].to_numpy(dtype=str),
    )
    plan = FinetunePlan(trained.encoders[0], config, config.finetune.epochs, first_epoch=config.head.max_epochs + 1)
    asked = {"holdout", "folds"} if config.finetune.folds else {"holdout"}
    results: dict[int, Finetuned] = {}
    for index, fit in enumerate(fits):
        if fit.protocol == "final":
            plan = replace(plan, epochs=_median_epoch(results.values()))
        elif fit.protocol not in asked:
            continue
        heads = {task: of_fits[index] for task, of_fits in trained.heads.items()}
        folder = training_folder(run, fit)
        results[index] = finetune_once(examples, fit, heads=heads, plan=plan, folder=folder, progress=progress)
    for index, result in results.items():
        others = [other for key, other in results.items() if key != index and fits[key].protocol == "folds"]
        chosen = _median_epoch(others) if fits[index].protocol == "folds" and others else result.best_epoch
        trained = trained.with_finetuned(index, result, result.logits_of_epochs[chosen - 1])
    return trained


def _median_epoch(results: Iterable[Finetuned]) -> int:
    return round(float(np.median([result.best_epoch for result in results])))


def _put(items: Sequence[_Item], index: int, item: _Item) -> list[_Item]:
    return [*items[:index], item, *items[index + 1 :]]
