"""A configuration's score is made of what its inner fits held out, at epochs that others chose."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from lobule.sweep.inner_score import inner_score, score_logits
from tests.controls.simulated import simulated
from tests.sweep.small import data_of, nested_of

JOB = simulated(cases=40, each=2, size=4)
DATA, NESTED = data_of(JOB), nested_of(JOB)


def said(random: np.random.Generator, *, best: dict[int, int]) -> dict[int, np.ndarray]:
    """Return logits over three epochs, right in the epoch that is `best` for an inner fit and noise in the others."""
    logits = {}
    for index, fit in enumerate(NESTED.inner):
        truth = 2.0 * DATA.targets[fit.watch] - 1
        logits[index] = random.normal(0, 3, (3, len(truth))).astype(np.float32)
        logits[index][best.get(index, 0)] = truth
    return logits


def test_each_fold_is_judged_at_the_epoch_of_the_others() -> None:
    part = NESTED.parts[-1]
    (first, _), (second, _), (third, _) = part.folds
    logits = said(np.random.default_rng(0), best={first: 1, second: 1, third: 1})
    score = inner_score(DATA, part, NESTED.inner, logits, objective="auroc")
    assert (score.value, score.epochs) == (1.0, 2)
    # The third fold is best at its first epoch, and judged at the median of the two others, which is the second.
    logits = said(np.random.default_rng(0), best={first: 1, second: 1, third: 0})
    score = inner_score(DATA, part, NESTED.inner, logits, objective="auroc")
    assert score.epochs == 2
    assert score.value < 1


def test_the_objectives_are_those_of_their_names() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=len(DATA.targets))
    every = np.ones(len(logits), dtype=bool)
    assert score_logits(logits, every, DATA, objective="auroc") == pytest.approx(roc_auc_score(DATA.targets, logits))
    # Two images a case: cases and classes weigh the same when the classes are balanced.
    weights = np.where(DATA.targets == 1, 1 / DATA.targets.sum(), 1 / (1 - DATA.targets).sum())
    expected = -log_loss(DATA.targets, 1 / (1 + np.exp(-logits)), sample_weight=weights)
    assert score_logits(logits, every, DATA, objective="log_loss") == pytest.approx(expected, rel=1e-6)


def test_a_head_that_diverged_says_nothing() -> None:
    part = NESTED.parts[0]
    logits = {index: np.full((3, int(fit.watch.sum())), np.nan, np.float32) for index, fit in enumerate(NESTED.inner)}
    assert inner_score(DATA, part, NESTED.inner, logits, objective="auroc").value == 0.5
    worst = inner_score(DATA, part, NESTED.inner, logits, objective="log_loss").value
    assert worst == pytest.approx(-np.log(2))
