from __future__ import annotations

import numpy as np
import pytest

from lobule.config import DecisionSettings
from lobule.controls.majority import majority_logits
from lobule.evaluation.metrics import evaluate
from lobule.model.held_out import held_out_predictions
from lobule.model.plan import plan_fits, targets_of
from lobule.taxonomy import Task
from tests.controls.simulated import simulated

_AT_HALF = DecisionSettings(threshold="fixed:0.5")


def test_majority_ranks_nothing_and_is_right_as_often_as_the_majority_is_there() -> None:
    data = simulated()
    frame = data.manifest.frame
    kept = ((frame["label"] == "malignant") | (frame.index % 3 == 0)).to_numpy()
    manifest = data.manifest.select(frame["image_id"][kept].tolist())
    fold_of = np.arange(kept.sum()) % 3
    fits = plan_fits(fold_of, fold_of == 1)[:-1]
    tasks: tuple[Task, ...] = ("binary", "subtype")
    logits = {task: majority_logits(task, targets_of(manifest.frame, task), fits) for task in tasks}
    metrics = evaluate(held_out_predictions(manifest, fits, logits, model_id="m"), decision=_AT_HALF, bootstrap=0)
    share = float((manifest.frame["label"] == "malignant").mean())
    assert share > 0.7
    assert metrics.value("binary", "auroc", protocol="holdout") == 0.5
    # Pooled over folds a little below: a fold with more malignant images leaves fewer to count.
    assert 0.3 < (metrics.value("binary", "auroc") or 1) <= 0.5
    assert metrics.value("binary", "accuracy") == pytest.approx(share)
    assert metrics.value("binary", "balanced_accuracy") == 0.5
    assert metrics.value("subtype", "balanced_accuracy", protocol="holdout") == pytest.approx(1 / 8)


def test_logits_are_the_log_odds_and_log_frequencies_of_the_training_images_plus_one_each() -> None:
    targets = np.array([1, 1, 1, 0, -1, 0])
    fit = plan_fits(np.array([0, 0, 0, 0, 0, 1]), np.zeros(6, bool))[1]
    (binary,) = majority_logits("binary", targets, [fit])
    (subtype,) = majority_logits("subtype", targets, [fit])
    assert binary.tolist() == [[pytest.approx(np.log(4 / 2))]]
    assert subtype[0] == pytest.approx(np.log(np.array([2, 4, 1, 1, 1, 1, 1, 1]) / 12))
