"""Fine-tuning: the last blocks of the backbone and both heads trained together, from where the frozen stage ended."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from lobule.errors import DataError
from lobule.evaluation.columns import HISTORY_COLUMNS
from lobule.features.keras_runtime import import_keras, keras_backend
from lobule.features.weights import finetuned_weights
from lobule.model.augmentation import Augmentation
from lobule.model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from lobule.model.joint import JointModel, build_joint
from lobule.model.loss import losses, weighted_mean
from lobule.model.plan import Fit, sample_weights
from lobule.progress import Progress, silent
from lobule.provenance import digest_of_json
from lobule.storage import written_by_others
from lobule.taxonomy import Task, classes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lobule.config import Config
    from lobule.features.spec import EncoderSpec
    from lobule.model.head import Head
    from lobule.model.image_source import ImageSource

__all__ = [
    "CHECKPOINT_FILE",
    "WEIGHTS_FILE",
    "Examples",
    "FinetunePlan",
    "Finetuned",
    "finetune_once",
    "training_folder",
]

CHECKPOINT_FILE: Final = "checkpoint.safetensors"
WEIGHTS_FILE: Final = "finetuned.weights.h5"


@dataclass(frozen=True, eq=False)
class Examples:
    """n images and what is known of them.

    Attributes:
        images: n images.
        targets: by task, (n,) class index in `classes_of(task)`; -1 where it is unknown.
        cases: (n,) case of each image.
    """

    images: ImageSource
    targets: Mapping[Task, NDArray[np.int64]]
    cases: NDArray[np.str_]


@dataclass(frozen=True)
class FinetunePlan:
    """How a training is done.

    Attributes:
        encoder: the frozen backbone.
        config: the run's settings (`finetune`, `head`, `features.views` and `seed` are used).
        epochs: epochs trained.
        first_epoch: number of the first epoch in the history; the frozen stage's epochs come before it.
    """

    encoder: EncoderSpec
    config: Config
    epochs: int
    first_epoch: int = 1


@dataclass(frozen=True, eq=False)
class Finetuned:
    """What a training gives, at its best epoch.

    Attributes:
        encoder: the fine-tuned backbone: its weights are the file in the folder of the training.
        heads: by task.
        best_epoch: the epoch of the lowest validation loss (tasks added), from 1 within this stage; without
            validation images the last.
        logits_of_epochs: after each epoch, by task, (n_validation, C), averaged over `features.views`, in the order of
            the images. All epochs are here so that a fold can be predicted at an epoch that other folds chose.
        history: the columns `HISTORY_COLUMNS`. Training values are the running means of the epoch, with augmentation
            and dropout; validation values are those of the averaged logits. Losses are weighted, accuracies plain.
    """

    encoder: EncoderSpec
    heads: Mapping[Task, Head]
    best_epoch: int
    logits_of_epochs: tuple[Mapping[Task, NDArray[np.float32]], ...]
    history: pd.DataFrame

    @property
    def logits(self) -> Mapping[Task, NDArray[np.float32]]:
        """By task, the validation logits (n_validation, C) at the best epoch."""
        return self.logits_of_epochs[self.best_epoch - 1]


def finetune_once(
    examples: Examples,
    fit: Fit,
    *,
    heads: Mapping[Task, Head],
    plan: FinetunePlan,
    folder: Path,
    progress: Progress = silent,
) -> Finetuned:
    """Train the open blocks and the heads of one fit, going on from a checkpoint of the same training if there is one.

    A training that was killed and repeated gives what it would have given undisturbed, on the same machine; on a GPU
    up to the rounding of its parallel sums.

    Args:
        examples: images and targets.
        fit: which of them are trained on, and which choose the epoch; none of the latter: the last epoch is used.
        heads: by task, the heads of the frozen stage of this fit.
        plan: backbone, settings and epochs.
        folder: where checkpoint and weights are kept; one folder a training.
        progress: told the epoch.

    Raises:
        ConfigError: the backbone has fewer blocks.
        DataError: no image is trained on, or one can no longer be decoded.
        WeightsError: the weights do not fit the backbone.
    """
    if not fit.train.any():
        raise DataError("fine-tuning: no image is trained on; give more images or another split.")
    training = _Training(examples, fit, heads, plan)
    state = read_checkpoint(folder / CHECKPOINT_FILE, training.key)
    if state:
        training.restore(state)
    for epoch in range(state.epoch + 1 if state else 1, plan.epochs + 1):
        state = training.run_epoch(epoch, state)
        write_checkpoint(folder / CHECKPOINT_FILE, state)
        progress(f"fine-tune {_name_of(fit)}", epoch, plan.epochs)
    assert state is not None
    return training.finish(state, folder / WEIGHTS_FILE)


def training_folder(run: Path, fit: Fit) -> Path:
    """Return where a run folder keeps the training of a fit; the final one's weights are what `lobule export` reads."""
    folder = run / "checkpoints"
    return {"final": folder, "holdout": folder / "holdout"}.get(fit.protocol, folder / f"fold-{fit.fold + 1}")


class _Training:
    """The Keras model of one fit and the images that it sees."""

    def __init__(self, examples: Examples, fit: Fit, heads: Mapping[Task, Head], plan: FinetunePlan) -> None:
        self._examples, self._fit, self._plan = examples, fit, plan
        self._tasks: tuple[Task, ...] = tuple(heads)
        self._targets = {task: _one_hot(examples.targets[task], task) for task in heads}
        self._weights = {
            task: sample_weights(
                examples.targets[task],
                examples.cases,
                fit.train,
                case_power=plan.config.head.case_weights,
                balanced=plan.config.head.class_weights == "balanced",
            )
            for task in heads
        }
        self.key = _key_of(examples, fit, heads, plan)
        keras = import_keras()
        keras.utils.set_random_seed(plan.config.seed)
        self._joint: JointModel = build_joint(
            plan.encoder, heads, finetune=plan.config.finetune, head=plan.config.head, seed=plan.config.seed
        )
        self._joint.model.optimizer.build(self._joint.model.trainable_variables)
        self._augmentation = Augmentation(examples.images.size)

    def restore(self, state: Checkpoint) -> None:
        _assign(self._joint.model.trainable_variables, state.weights)
        _assign(self._joint.model.optimizer.variables, state.optimizer)

    def run_epoch(self, epoch: int, before: Checkpoint | None) -> Checkpoint:
        """Train one epoch, look at the validation images and return what is to be remembered."""
        self._joint.reseed(self._plan.config.seed, epoch)
        model = self._joint.model
        steps = -(-int(self._fit.train.sum()) // self._plan.config.finetune.batch_size)
        seen = model.fit(self._batches(epoch), steps_per_epoch=steps, shuffle=False, verbose=0).history
        logits = self._validation_logits()
        rows, loss = self._watch(epoch, {name: values[-1] for name, values in seen.items()}, logits)
        weights = _arrays(model.trainable_variables)
        now = Checkpoint(
            key=self.key,
            epoch=epoch,
            best_epoch=epoch,
            best_loss=loss,
            rows=(*(before.rows if before else ()), *rows),
            weights=weights,
            optimizer=_arrays(model.optimizer.variables),
            best_weights=weights,
            logits=(*(before.logits if before else ()), logits),
        )
        if before is None or loss < before.best_loss or not self._fit.validation.any():
            return now
        best = ("best_epoch", "best_loss", "best_weights")
        return replace(now, **{name: getattr(before, name) for name in best})

    def finish(self, state: Checkpoint, path: Path) -> Finetuned:
        """Go back to the best epoch and keep the weights of its backbone."""
        _assign(self._joint.model.trainable_variables, state.best_weights)
        _save_weights(self._joint.backbone, path)
        spec = self._plan.encoder
        encoder = replace(spec.in_single_precision, weights=finetuned_weights(path, spec.architecture))
        history = pd.DataFrame(state.rows, columns=list(HISTORY_COLUMNS))
        return Finetuned(encoder, self._joint.heads, state.best_epoch, state.logits, history)

    def _batches(self, epoch: int) -> Iterator[tuple[NDArray[np.float32], dict[str, Any], dict[str, Any]]]:
        seed, size = self._plan.config.seed, self._plan.config.finetune.batch_size
        order = np.random.default_rng([seed, epoch]).permutation(np.flatnonzero(self._fit.train))
        for step, start in enumerate(range(0, len(order), size)):
            rows = order[start : start + size]
            images = self._augmentation.draw(self._examples.images.take(rows), seed, epoch, step)
            yield (
                images,
                {task: self._targets[task][rows] for task in self._tasks},
                {task: self._weights[task][rows] for task in self._tasks},
            )

    def _validation_logits(self) -> dict[Task, NDArray[np.float32]]:
        rows, views = np.flatnonzero(self._fit.validation), self._plan.config.features.views
        size = self._plan.config.finetune.batch_size
        parts: dict[Task, list[NDArray[np.float32]]] = {task: [] for task in self._tasks}
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            seen = [
                self._joint.model.predict_on_batch(self._examples.images.take(chunk, view).astype(np.float32))
                for view in views
            ]
            for task in self._tasks:
                parts[task].append(np.mean([np.asarray(each[task]) for each in seen], axis=0, dtype=np.float32))
        return {
            task: np.concatenate(part) if part else np.empty((0, self._targets[task].shape[1]), np.float32)
            for task, part in parts.items()
        }

    def _watch(
        self, epoch: int, seen: Mapping[str, float], logits: Mapping[Task, NDArray[np.float32]]
    ) -> tuple[list[tuple[Any, ...]], float]:
        """Return the history rows of an epoch and the validation loss, tasks added (infinite where there is none)."""
        rows, total = [], 0.0
        train, validation = self._fit.train, self._fit.validation
        for task in self._tasks:
            prefix = f"{task}_" if len(self._tasks) > 1 else ""
            targets, weights = self._examples.targets[task], self._weights[task]
            share_known = float((targets[train] >= 0).mean())
            known = targets[validation] >= 0
            each, correct = losses(logits[task][known], targets[validation][known])
            loss = weighted_mean(each, weights[validation][known])
            total += 0.0 if np.isnan(loss) else loss
            rows.append(
                (
                    task,
                    self._fit.protocol,
                    self._fit.fold,
                    self._plan.first_epoch + epoch - 1,
                    float(seen[f"{prefix}cross_entropy"]),
                    loss,
                    float(seen[f"{prefix}hits"]) / share_known if share_known else float("nan"),
                    weighted_mean(correct, np.ones(len(correct))),
                )
            )
        return rows, total if validation.any() else float("inf")


def _one_hot(targets: NDArray[np.int64], task: Task) -> NDArray[np.float32]:
    """Return (n, 1) for the binary task, (n, 8) for subtypes; a row of zeros where the class is unknown."""
    if task == "binary":
        return np.asarray(targets[:, None] == 1, dtype=np.float32)
    return np.asarray(targets[:, None] == np.arange(len(classes_of(task))), dtype=np.float32)


def _key_of(examples: Examples, fit: Fit, heads: Mapping[Task, Head], plan: FinetunePlan) -> str:
    arrays = [fit.train, fit.validation, *(examples.targets[task] for task in heads)]
    arrays += [tensor for head in heads.values() for tensor in vars(head).values() if isinstance(tensor, np.ndarray)]
    config = plan.config
    return digest_of_json(
        {
            "graph": plan.encoder.graph_key,
            "settings": [part.model_dump(mode="json") for part in (config.finetune, config.head)],
            "views": config.features.views,
            "seed": config.seed,
            "first_epoch": plan.first_epoch,
            "epochs": plan.epochs,
            "fit": [fit.protocol, fit.fold],
            "images": [path.name for path in examples.images.paths],
            "cases": examples.cases.tolist(),
            "arrays": [hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for array in arrays],
            "keras": [import_keras().__version__, keras_backend()],
        }
    )


def _save_weights(model: Any, path: Path) -> None:
    with written_by_others(path) as unfinished:
        model.save_weights(str(unfinished))


def _arrays(variables: Any) -> tuple[NDArray[Any], ...]:
    return tuple(np.array(variable.numpy()) for variable in variables)


def _assign(variables: Any, values: tuple[NDArray[Any], ...]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _name_of(fit: Fit) -> str:
    return f"fold {fit.fold + 1}" if fit.protocol == "folds" else fit.protocol
