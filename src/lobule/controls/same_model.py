"""The same model on something that it should not do well on, or too well: a split that leaks, labels that lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lobule.data.manifest import Manifest
from lobule.model.fit import Training, mean_logits, train_for
from lobule.model.parallel_heads import TaskData
from lobule.model.plan import targets_of, trainable_tasks
from lobule.taxonomy import Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.model.head import Head
    from lobule.model.plan import Fit

__all__ = ["Retraining", "fits_by_image", "retrained_logits", "with_permuted_labels"]

_IMAGE_STREAM, _LABEL_STREAM = 1, 2


def fits_by_image(fits: Sequence[Fit], labels: pd.Series[str], *, seed: int) -> list[Fit]:
    """Return fits in which images of one label have changed places at random, without regard to their cases.

    Each part keeps its number of images of each label, so that nothing but the leak differs from the fits given.

    Args:
        fits: trainings on n images.
        labels: (n,) label of each image.
        seed: decides who changes places with whom.
    """
    random = np.random.default_rng([seed, _IMAGE_STREAM])
    names = labels.to_numpy(dtype=object)
    place = np.arange(len(names))
    for name in sorted(set(names)):
        rows = np.flatnonzero(names == name)
        place[rows] = random.permutation(rows)
    return [replace(fit, train=fit.train[place], validation=fit.validation[place]) for fit in fits]


def with_permuted_labels(manifest: Manifest, *, seed: int) -> Manifest:
    """Return the manifest with label and subtype permuted between cases.

    All images of a case get the label and subtype that are most frequent among the images of one other case (or, by
    chance, of its own). A case thus stays of one kind, as true cases are, and the number of cases of a kind stays
    about the same; but what an image shows says nothing about its label any more.

    Args:
        manifest: n images.
        seed: decides which case gets whose label.
    """
    frame = manifest.frame
    counts = frame.groupby(["case_id", "label", "subtype"]).size().sort_values(ascending=False, kind="stable")
    kinds = counts.reset_index().groupby("case_id")[["label", "subtype"]].first()
    shuffled = np.random.default_rng([seed, _LABEL_STREAM]).permutation(len(kinds))
    given = kinds.iloc[shuffled].set_index(kinds.index).loc[frame["case_id"]]
    permuted = frame.assign(label=given["label"].to_numpy(), subtype=given["subtype"].to_numpy())
    return Manifest(permuted, manifest.root)


@dataclass(frozen=True, eq=False)
class Retraining:
    """What the model's own heads are trained on anew.

    Attributes:
        frame: n rows of a manifest.
        fits: which images each head is trained on.
    """

    frame: pd.DataFrame
    fits: Sequence[Fit]


def retrained_logits(
    retrainings: Sequence[Retraining],
    features: NDArray[np.float32],
    *,
    epochs: Mapping[Task, int],
    config: Config,
) -> list[dict[Task, list[NDArray[np.float32]]]]:
    """Train the model's own heads anew, with its settings and seed, and return what each fit says of its validation.

    All are trained side by side and share nothing, so that each gives what it would give alone.

    Args:
        retrainings: what is trained on what.
        features: (V, n, D).
        epochs: by task, the number of epochs; these tasks are trained.
        config: the run's settings.

    Returns:
        For each retraining, by task and for each fit (n_validation, C); NaN throughout for a task that cannot be
        trained on these rows.
    """
    asked = [
        (index, task)
        for index, each in enumerate(retrainings)
        for task in trainable_tasks(each.frame, each.fits)
        if task in epochs
    ]
    trainings = [
        Training(_data(retrainings[index], task, features), retrainings[index].fits, epochs[task])
        for index, task in asked
    ]
    heads = dict(zip(asked, train_for(trainings, config.head, seed=config.seed), strict=True))
    return [
        {task: _logits(task, heads.get((index, task)), each.fits, features) for task in epochs}
        for index, each in enumerate(retrainings)
    ]


def _data(retraining: Retraining, task: Task, features: NDArray[np.float32]) -> TaskData:
    frame = retraining.frame
    return TaskData(task, features, targets_of(frame, task), frame["case_id"].to_numpy(dtype=str))


def _logits(
    task: Task, heads: Sequence[Head] | None, fits: Sequence[Fit], features: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    if heads is None:
        outputs = 1 if task == "binary" else len(classes_of(task))
        return [np.full((int(fit.validation.sum()), outputs), np.nan, np.float32) for fit in fits]
    return [mean_logits(head, features[:, fit.validation]) for head, fit in zip(heads, fits, strict=True)]
