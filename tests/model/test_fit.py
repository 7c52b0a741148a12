from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lobule.config import HeadSettings
from lobule.evaluation.columns import HISTORY_COLUMNS
from lobule.model.fit import TrainedTask, Training, choose_epochs, mean_logits, train_for, train_task, train_tasks
from lobule.model.head import Head
from lobule.model.parallel_heads import ParallelHeads, TaskData
from lobule.model.plan import Fit, plan_fits
from lobule.taxonomy import Task

pytestmark = pytest.mark.keras

# Sizes and rates for twelve numbers and 120 images, whatever the defaults are tuned to.
_SETTINGS = HeadSettings(hidden=16, max_epochs=6, batch_size=32, learning_rate=0.01, l2=0.001, input_dropout=0)
_FOLD_OF = np.arange(120) % 3


def _data(task: Task, *, seed: int = 0) -> TaskData:
    """Return features whose first numbers say the class; two views that differ by noise."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2 if task == "binary" else 8, 120)
    signal = np.eye(8)[targets] * 2
    noise = generator.normal(size=(2, 120, 12))
    noise[..., :8] += signal
    return TaskData(task, noise.astype(np.float32), targets.astype(np.int64), (np.arange(120) // 4).astype(str))


def _train(
    data: TaskData, fits: list[Fit] | None = None, settings: HeadSettings = _SETTINGS, seed: int = 0
) -> TrainedTask:
    return train_task(data, fits or plan_fits(_FOLD_OF, _FOLD_OF == 0), settings, seed=seed)


@pytest.mark.parametrize("task", ["binary", "subtype"])
def test_heads_learn_what_is_there_to_learn(task: Task) -> None:
    data = _data(task)
    head = _train(data, settings=_SETTINGS.model_copy(update={"max_epochs": 40})).heads[0]
    held_out = _FOLD_OF == 0
    logits = mean_logits(head, data.features[:, held_out])
    predicted = logits[:, 0] > 0 if task == "binary" else logits.argmax(axis=1)
    assert (predicted == data.targets[held_out]).mean() > (0.85 if task == "binary" else 0.6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_heads_and_another_seed_others() -> None:
    data = _data("binary")
    first, again, other = _train(data), _train(data), _train(data, seed=1)
    pd.testing.assert_frame_equal(first.history, again.history)
    assert all(
        np.array_equal(one.output_kernel, two.output_kernel) for one, two in zip(first.heads, again.heads, strict=True)
    )
    assert not np.array_equal(first.heads[0].output_kernel, other.heads[0].output_kernel)


@pytest.mark.slow
def test_what_a_fit_holds_out_never_reaches_it() -> None:
    data = _data("binary")
    spoiled = data.features.copy()
    spoiled[:, _FOLD_OF == 0] = 1e6
    fold_0 = [0, 3]  # the first fold, and the holdout that leaves out the same images
    honest, blind = _train(data), _train(replace(data, features=spoiled))
    for index in fold_0:
        assert np.array_equal(honest.heads[index].mean, blind.heads[index].mean)
    honest_loss, blind_loss = (
        result.history.query("protocol == 'folds' and fold == 0")["train_loss"].to_numpy() for result in (honest, blind)
    )
    np.testing.assert_allclose(honest_loss, blind_loss, rtol=1e-6)


def test_history_has_a_row_for_every_fit_and_epoch() -> None:
    history = _train(_data("binary")).history
    assert tuple(history.columns) == HISTORY_COLUMNS
    assert len(history) == 5 * _SETTINGS.max_epochs
    assert history.query("protocol == 'final'")["validation_loss"].isna().all()
    assert history.query("protocol != 'final'").notna().all(axis=None)


@pytest.mark.slow
def test_unknown_targets_are_neither_trained_on_nor_watched() -> None:
    data = _data("subtype")
    targets = data.targets.copy()
    targets[::5] = -1
    spoiled = data.features.copy()
    spoiled[:, ::5] = 1e6
    one = _train(replace(data, targets=targets))
    two = _train(replace(data, targets=targets, features=spoiled))
    pd.testing.assert_frame_equal(one.history, two.history)


def test_without_a_hidden_layer_the_head_is_linear() -> None:
    head = _train(_data("binary"), settings=_SETTINGS.model_copy(update={"hidden": 0, "input_dropout": 0.2})).heads[0]
    assert not head.has_hidden_layer
    x = np.random.default_rng(0).normal(size=(2, 12)).astype(np.float32)
    middle = head.logits(x.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(middle[0], head.logits(x).mean(axis=0), rtol=1e-4)


def test_a_head_is_the_mean_of_its_members() -> None:
    data = _data("subtype")
    fits = plan_fits(_FOLD_OF, _FOLD_OF == 0)
    heads = ParallelHeads(data, fits, _SETTINGS, seed=0)
    heads.run_epoch()
    kernel, bias, output, output_bias = (np.array(tensor[1]) for tensor in heads._model.get_weights())
    head = heads.heads()[1]
    standardised = (data.features[0] - head.mean) / head.scale
    hidden = np.split(np.maximum(standardised @ kernel[0] + bias[0], 0), _SETTINGS.members, axis=1)
    biases = np.split(output_bias[0], _SETTINGS.members)
    members = [hidden[m] @ output[m] + biases[m] for m in range(_SETTINGS.members)]
    np.testing.assert_allclose(head.logits(data.features[0]), np.mean(members, axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", [16, 0])
def test_a_step_of_all_heads_is_the_step_each_would_make_alone(hidden: int) -> None:
    # One batch: Adam's first step moves every weight by the learning rate, however the loss is scaled.
    settings = _SETTINGS.model_copy(update={"hidden": hidden, "dropout": 0, "batch_size": 120, "l2": 0.0})
    data = _data("subtype")
    job = ParallelHeads(replace(data, features=data.features[:1]), plan_fits(_FOLD_OF, _FOLD_OF == 0), settings, seed=0)
    before = job.heads()
    job.run_epoch()
    for index, (old, new) in enumerate(zip(before, job.heads(), strict=True)):
        step = new.output_kernel - old.output_kernel
        assert np.abs(step).max() * job._members == pytest.approx(settings.learning_rate, rel=1e-2)
        assert job.watch(index, new)[0] < job.watch(index, old)[0]


def test_a_fixed_number_of_epochs_gives_the_heads_of_that_epoch() -> None:
    data, fits = _data("binary"), plan_fits(_FOLD_OF, _FOLD_OF == 0)
    watched: dict[int, list[Head]] = {}
    train_task(data, fits, _SETTINGS, seed=0, on_epoch=watched.__setitem__)
    (heads,) = train_for([Training(data, fits, epochs=3)], _SETTINGS, seed=0)
    for head, expected in zip(heads, watched[3], strict=True):
        np.testing.assert_array_equal(head.hidden_kernel, expected.hidden_kernel)
        np.testing.assert_array_equal(head.output_bias, expected.output_bias)


def test_tasks_that_are_trained_side_by_side_are_trained_as_alone() -> None:
    tasks, fits = [_data("binary"), _data("subtype", seed=1)], plan_fits(_FOLD_OF, _FOLD_OF == 0)
    told: list[tuple[str, int, int]] = []
    beside = train_tasks(tasks, fits, _SETTINGS, seed=0, progress=lambda *state: told.append(state))
    assert told == [(f"train {data.task} heads", epoch, 6) for epoch in range(1, 7) for data in tasks]
    for data, result in zip(tasks, beside, strict=True):
        pd.testing.assert_frame_equal(result.history, train_task(data, fits, _SETTINGS, seed=0).history)


def test_trainings_side_by_side_are_trained_as_alone() -> None:
    fits = plan_fits(_FOLD_OF, _FOLD_OF == 0)
    trainings = [Training(_data("subtype", seed=seed), fits, epochs=2 + seed) for seed in range(3)]
    beside = train_for(trainings, _SETTINGS, seed=0)
    for training, heads in zip(trainings, beside, strict=True):
        (alone,) = train_for([training], _SETTINGS, seed=0)
        assert all(np.array_equal(one.hidden_kernel, two.hidden_kernel) for one, two in zip(heads, alone, strict=True))


def _history(best: list[int], epochs: int = 6) -> pd.DataFrame:
    rows = [
        ("binary", "folds", fold, epoch, 1.0, abs(epoch - place) + 1.0, 0.5, 0.5)
        for fold, place in enumerate(best)
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))


def test_a_fold_has_no_say_in_its_own_number_of_epochs() -> None:
    fits = plan_fits(np.array([0, 1, 2]), np.array([True, False, False]))
    assert choose_epochs(_history([2, 4, 6]), fits) == (5, 4, 3, 4, 4)
    assert choose_epochs(_history([5, 4, 6]), fits)[0] == choose_epochs(_history([1, 4, 6]), fits)[0]
