from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.model.plan import plan_fits, sample_weights, targets_of, trainable_tasks


def test_every_image_is_predicted_by_the_fold_that_never_saw_it() -> None:
    fold_of, in_validation = np.array([0, 1, 2, 1, 0]), np.array([False, True, False, False, False])
    fits = plan_fits(fold_of, in_validation)
    assert [(fit.protocol, fit.fold) for fit in fits] == [
        ("folds", 0),
        ("folds", 1),
        ("folds", 2),
        ("holdout", -1),
        ("final", -1),
    ]
    assert all(not (fit.train & fit.validation).any() for fit in fits)
    assert all((fit.train | fit.validation).all() for fit in fits)
    held_out = np.stack([fit.validation for fit in fits if fit.protocol == "folds"])
    assert held_out.sum(axis=0).tolist() == [1] * 5
    assert fits[-1].train.all()


@given(
    targets=st.lists(st.integers(0, 3), min_size=8, max_size=40),
    power=st.floats(0, 1),
    seed=st.integers(0, 100),
)
def test_balanced_weights_give_every_class_the_same_sum(targets: list[int], power: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    known = np.array(targets)
    cases = generator.integers(0, 5, len(known)).astype(str)
    train = generator.random(len(known)) < 0.7
    if not train.any():
        return
    weights = sample_weights(known, cases, train, case_power=power, balanced=True)
    sums = [weights[train & (known == label)].sum() for label in set(known[train].tolist())]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-4)
    assert weights[train].mean() == pytest.approx(1, rel=1e-4)


def test_case_power_one_makes_cases_count_the_same() -> None:
    cases = np.array(["large"] * 9 + ["small"])
    targets = np.zeros(10, dtype=np.int64)
    everything = np.ones(10, dtype=bool)
    by_case = sample_weights(targets, cases, everything, case_power=1, balanced=False)
    by_image = sample_weights(targets, cases, everything, case_power=0, balanced=False)
    assert by_case[:9].sum() == pytest.approx(by_case[9])
    assert set(by_image.tolist()) == {1.0}


def test_unknown_classes_weigh_nothing() -> None:
    targets = np.array([0, 1, -1])
    weights = sample_weights(targets, np.array(["a", "b", "c"]), np.ones(3, dtype=bool), case_power=0.5, balanced=True)
    assert weights[2] == 0
    assert (weights[:2] > 0).all()


def test_targets_and_tasks_of_a_manifest() -> None:
    frame = pd.DataFrame({"label": ["benign", "malignant"], "subtype": ["adenosis", ""]})
    assert targets_of(frame, "binary").tolist() == [0, 1]
    assert targets_of(frame, "subtype").tolist() == [0, -1]
    assert trainable_tasks(frame) == ("binary",)
