"""No search looks at what its outer fit holds out, and no case stands on both sides of an inner fold."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.errors import SplitError
from lobule.model.plan import plan_fits
from lobule.sweep.nested import plan_nested
from tests.controls.simulated import simulated
from tests.sweep.small import fold_of, nested_of


@given(st.integers(3, 6), st.integers(0, 2**16))
def test_inner_folds_divide_the_training_cases_of_their_outer_fit(folds: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    cases = np.repeat(np.arange(12 * folds), 2)
    fold = random.permutation(np.arange(12 * folds) % folds)[cases]
    targets = (cases // folds) % 2
    held_out = random.permutation(np.arange(12 * folds) % 5 == 0)[cases]
    nested = plan_nested(plan_fits(fold, held_out), fold, targets)
    for part in nested.parts:
        watched = np.sum([watch for _, watch in part.folds], axis=0)
        assert (watched == part.fit.train).all()
        for index, watch in part.folds:
            inner = nested.inner[index]
            assert not (inner.train & ~part.fit.train).any()
            assert not (inner.train & part.fit.validation).any()
            assert not set(cases[inner.train]) & set(cases[watch])
            assert (inner.watch[watch]).all()


def test_a_training_without_two_folds_serves_both() -> None:
    job = simulated(cases=40, each=2)
    nested = nested_of(job)
    assert [part.name for part in nested.parts] == ["fold 1", "fold 2", "fold 3", "holdout", "final"]
    pairs = {frozenset(pair) for pair in combinations(range(3), 2)}
    folds = fold_of(job)
    without = [frozenset(range(3)) - set(folds[inner.train].tolist()) for inner in nested.inner]
    # In these data the holdout is a fold, so that its inner fits are those of that fold.
    assert sorted(map(sorted, without)) == sorted(map(sorted, [*pairs, *({fold} for fold in range(3))]))
    shared = [{index for index, _ in part.folds} for part in nested.parts[:3]]
    assert all(len(one & other) == 1 for one, other in combinations(shared, 2))


def test_two_folds_are_too_few() -> None:
    fold = np.repeat([0, 1], 8)
    with pytest.raises(SplitError, match=r"the search of fold 1 has 0 inner folds .* use --folds 3"):
        plan_nested(plan_fits(fold, fold == 1), fold, np.tile([0, 1], 8))
