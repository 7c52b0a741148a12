from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from lobule.evaluation.intervals import case_multiplicities, clopper_pearson, percentile_interval

CASE = np.array([0, 0, 1, 2, 3, 3, 4, 5, 6])
MALIGNANT = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1], bool)


def draw(seed: int = 0, replicates: int = 500, block: int = 100) -> np.ndarray:
    blocks = case_multiplicities(CASE, MALIGNANT, replicates=replicates, seed=seed, block=block)
    return np.concatenate(list(blocks))


def test_each_label_keeps_its_number_of_cases() -> None:
    drawn = draw()
    assert drawn.shape == (500, 7)
    assert (drawn[:, :3].sum(axis=1) == 3).all()
    assert (drawn[:, 3:].sum(axis=1) == 4).all()


def test_every_case_is_drawn_once_on_average() -> None:
    drawn = draw(replicates=4000)
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.06)
    assert set(np.unique(drawn)) >= {0, 1, 2, 3}


def test_draws_follow_the_seed() -> None:
    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(3) != draw(4)).any()


def test_a_case_with_both_labels_is_drawn_among_its_like() -> None:
    both = MALIGNANT.copy()
    both[0] = True
    blocks = list(case_multiplicities(CASE, both, replicates=50, seed=0, block=50))
    assert (blocks[0][:, 0] == 1).all()


def test_blocks_are_no_larger_than_asked() -> None:
    blocks = case_multiplicities(CASE, MALIGNANT, replicates=25, seed=0, block=10)
    assert [len(block) for block in blocks] == [10, 10, 5]


@given(st.integers(0, 60), st.integers(0, 60))
def test_clopper_pearson_equals_scipy(successes: int, failures: int) -> None:
    trials = successes + failures
    found = clopper_pearson(successes, trials)
    if not trials:
        assert found is None
    else:
        exact = binomtest(successes, trials).proportion_ci(0.95, "exact")
        assert found == pytest.approx((exact.low, exact.high), abs=1e-7)


def test_percentiles_leave_out_what_is_undefined() -> None:
    values = np.append(np.arange(1000.0), np.full(10, np.nan))
    assert percentile_interval(values, cases=10**6) == pytest.approx((24.975, 974.025), abs=0.01)
    assert percentile_interval(np.append(np.arange(10.0), np.nan), cases=9) is None
    assert percentile_interval(np.full(3, np.nan), cases=9) is None
    assert percentile_interval(np.empty(0), cases=9) is None


@pytest.mark.parametrize("cases", [5, 12, 60])
def test_few_cases_reach_further_out_as_students_quantile_does(cases: int) -> None:
    """The mean of normal cases: the expanded percentiles are those of Student's interval."""
    rng = np.random.default_rng(0)
    sample = rng.normal(size=cases)
    spread = sample.std() * np.sqrt(1 / cases)
    replicates = rng.normal(sample.mean(), spread, 400_000)
    found = percentile_interval(replicates, cases=cases)
    assert found is not None
    half = t.ppf(0.975, cases - 1) * sample.std(ddof=1) / np.sqrt(cases)
    assert found == pytest.approx((sample.mean() - half, sample.mean() + half), abs=0.03)
