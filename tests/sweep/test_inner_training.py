"""The search trains the heads that `lobule train` trains, and nothing that stands beside a head changes it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lobule.config import HeadSettings
from lobule.model.parallel_heads import ParallelHeads, TaskData
from lobule.model.plan import Fit
from lobule.sweep.inner_training import HeadTraining, watched_logits
from lobule.sweep.nested import InnerFit
from tests.controls.simulated import simulated
from tests.sweep.small import data_of


def plain(**settings: object) -> HeadSettings:
    """Return settings without anything random but the first weights: one batch, no dropout."""
    return HeadSettings.model_validate(
        {"hidden": 8, "members": 2, "dropout": 0, "input_dropout": 0, "batch_size": 512, "l2": 0.05, **settings}
    )


def one_view() -> TaskData:
    job = simulated(cases=24, each=3, size=12)
    return replace(data_of(job), features=job.features.values[:1])


@pytest.mark.keras
@pytest.mark.parametrize(
    "settings",
    [plain(), plain(hidden=0, members=1), plain(case_weights=1.0, class_weights="none"), plain(members=8)],
    ids=["members", "linear", "weights", "many"],
)
def test_its_heads_are_those_of_parallel_heads(settings: HeadSettings) -> None:
    data = one_view()
    train = np.arange(len(data.targets)) % 4 != 0
    job = ParallelHeads(data, [Fit("folds", 0, train, ~train)], settings, seed=3)
    training = HeadTraining(data, train, settings, seed=5)
    (first,) = job.heads()
    members = settings.members if settings.hidden else 1
    training.hidden_kernel.value[:] = first.hidden_kernel
    training.output_kernel.value[:] = members * first.output_kernel.reshape(training.output_kernel.value.shape)
    shown = training.standardised(data.features)
    for _ in range(6):
        job.run_epoch()
        training.run_epoch()
    (head,) = job.heads()
    expected = head.logits(data.features)[..., 0]
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(training.logits(shown), expected, atol=2e-4)


def test_the_gradient_is_that_of_the_loss() -> None:
    """One step of Adam moves every weight by the rate, against the sign of its gradient; compare with differences."""
    data = one_view()
    train = np.ones(len(data.targets), dtype=bool)
    settings = plain(learning_rate=1e-4, l2=0.0, class_weights="none")
    training = HeadTraining(data, train, settings, seed=1)
    kernel = training.hidden_kernel.value

    def loss() -> float:
        standardised = training.standardised(data.features)[0].astype(np.float64)
        hidden = np.maximum(standardised @ kernel + training.hidden_bias.value, 0).reshape(len(standardised), 2, -1)
        logits = np.einsum("bmu,mu->bm", hidden, training.output_kernel.value) + training.output_bias.value
        return float((np.logaddexp(0, logits) - data.targets[:, None] * logits).sum())

    steepest = []
    for row, column in np.ndindex(*kernel.shape):
        before = kernel[row, column]
        kernel[row, column] = before + 1e-2
        above = loss()
        kernel[row, column] = before - 1e-2
        steepest.append((above - loss()) / 2e-2)
        kernel[row, column] = before
    training.run_epoch()
    slope = np.array(steepest).reshape(kernel.shape)
    gradient = training.hidden_kernel.gradient
    clear = np.abs(slope) > 0.3
    assert clear.mean() > 0.5
    assert (np.sign(slope[clear]) == np.sign(gradient[clear])).all()
    assert np.corrcoef(slope.ravel(), gradient.ravel())[0, 1] > 0.999


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    training = HeadTraining(one_view(), np.ones(72, dtype=bool), plain(), seed=0)
    values = np.ones((500, 401), dtype=np.float32)
    kept = training._drop(values, 0.3)
    assert kept is not None
    assert kept.mean() == pytest.approx(0.7, abs=0.01)
    assert values.mean() == pytest.approx(1.0, abs=0.01)
    assert set(np.unique(values)) == {np.float32(0), np.float32(1) * np.float32(1 / 0.7)}


def test_a_head_depends_on_its_seed_and_its_images_alone() -> None:
    data = data_of(simulated(cases=24, each=3, size=12))
    train = np.arange(len(data.targets)) % 3 != 0
    fit = InnerFit(train, ~train)
    settings = plain(dropout=0.3, input_dropout=0.3, batch_size=16)
    said = watched_logits(data, fit, settings, epochs=3, seed=7)
    assert said.shape == (3, int((~train).sum()))
    other = replace(data, targets=np.where(train, data.targets, 1 - data.targets))
    assert (watched_logits(other, fit, settings, epochs=3, seed=7) == said).all()
    assert (watched_logits(data, fit, settings, epochs=2, seed=7) == said[:2]).all()
    assert not np.allclose(watched_logits(data, fit, settings, epochs=3, seed=8), said)


def test_it_learns() -> None:
    job = simulated(cases=240, each=2, size=6, label_effect=8.0)
    data = data_of(job)
    fit = job.fits[0]
    settings = plain(batch_size=16, learning_rate=1e-2, dropout=0.2)
    said = watched_logits(data, InnerFit(fit.train, fit.validation), settings, epochs=8, seed=0)[-1]
    right = (said > 0) == (data.targets[fit.validation] == 1)
    assert right.mean() > 0.9


def test_a_rate_that_is_too_high_raises_nothing() -> None:
    data = data_of(simulated(cases=24, each=3, size=12))
    with np.errstate(all="raise"):
        said = watched_logits(
            data,
            InnerFit(np.ones(72, dtype=bool), np.ones(72, dtype=bool)),
            plain(learning_rate=1.0, batch_size=8, l2=100.0),
            epochs=3,
            seed=0,
        )
    assert said.shape == (3, 72)
