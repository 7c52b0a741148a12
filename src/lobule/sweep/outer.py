"""From what the searches chose to one trained head for every outer fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lobule.evaluation.decision.temperature import fit_temperature
from lobule.model.plan import Fit, targets_of, trainable_tasks
from lobule.model.stages import Trained, train_heads
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.data.manifest import Manifest
    from lobule.features.extract import Features
    from lobule.model.head import Head
    from lobule.sweep.nested import Nested, Part
    from lobule.taxonomy import Task

__all__ = ["train_outer"]


@dataclass(frozen=True, eq=False)
class _OfPart:
    """What training one outer fit gives, by task."""

    heads: Mapping[Task, Head]
    logits: Mapping[Task, NDArray[np.float32]]
    epochs: Mapping[Task, int]
    history: pd.DataFrame


def train_outer(
    manifest: Manifest,
    nested: Nested,
    configs: Sequence[Config],
    features_of: Sequence[Features],
    *,
    progress: Progress = silent,
) -> Trained:
    """Train every outer fit with its own settings; what it holds out is predicted once.

    An outer fit is trained beside the inner fits of its configuration, as `lobule train` trains a final model beside
    the folds: they choose its number of epochs, and their predictions fit a temperature that its logits are divided by,
    so that heads of different settings speak on one scale. Nothing of this sees what the fit holds out.

    Args:
        manifest: n images.
        nested: outer fits and inner fits.
        configs: the settings of each outer fit.
        features_of: of all images, by the settings of each outer fit.
        progress: told the number of trained outer fits.
    """
    every_fit = [fit for part in nested.parts for fit in _fits_of(part, nested)]
    tasks = trainable_tasks(manifest.frame, every_fit)
    results = []
    for done, (part, config, features) in enumerate(zip(nested.parts, configs, features_of, strict=True), start=1):
        results.append(_train_part(manifest, part, nested, config, features))
        progress("train heads", done, len(nested.parts))
    return Trained(
        encoders=[features.spec for features in features_of],
        heads={task: [result.heads[task] for result in results] for task in tasks},
        logits={task: [result.logits[task] for result in results] for task in tasks},
        epochs={task: [result.epochs[task] for result in results] for task in tasks},
        history=pd.concat([result.history for result in results], ignore_index=True),
    )


def _fits_of(part: Part, nested: Nested) -> list[Fit]:
    """Return the inner fits of an outer fit, as folds, and the outer fit itself, as what the folds choose for."""
    inner = [Fit("folds", fold, nested.inner[index].train, watch) for fold, (index, watch) in enumerate(part.folds)]
    outer = part.fit if part.fit.protocol == "final" else replace(part.fit, protocol="holdout", fold=-1)
    return [*inner, outer]


def _train_part(manifest: Manifest, part: Part, nested: Nested, config: Config, features: Features) -> _OfPart:
    fits = _fits_of(part, nested)
    trained = train_heads(manifest, features, fits, config=config)
    temperatures = {
        task: _temperature(manifest, task, fits[:-1], logits[:-1]) for task, logits in trained.logits.items()
    }
    own = trained.history[trained.history["protocol"] == fits[-1].protocol]
    return _OfPart(
        {task: _cooled(heads[-1], temperatures[task]) for task, heads in trained.heads.items()},
        {task: logits[-1] / np.float32(temperatures[task]) for task, logits in trained.logits.items()},
        {task: epochs[-1] for task, epochs in trained.epochs.items()},
        own.assign(protocol=part.fit.protocol, fold=part.fit.fold),
    )


def _temperature(manifest: Manifest, task: Task, inner: Sequence[Fit], logits: Sequence[NDArray[np.float32]]) -> float:
    targets = np.concatenate([targets_of(manifest.frame, task)[fit.validation] for fit in inner])
    said = np.concatenate(logits).astype(np.float64)
    return fit_temperature(said[targets >= 0], targets[targets >= 0])


def _cooled(head: Head, temperature: float) -> Head:
    """Return a head whose logits are divided by a temperature."""
    factor = np.float32(1 / temperature)
    return replace(head, output_kernel=head.output_kernel * factor, output_bias=head.output_bias * factor)
