from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from lobule.evaluation.simultaneous import simultaneous_intervals


def test_one_statistic_alone_has_the_usual_interval() -> None:
    draws = np.random.default_rng(0).normal(0.3, 0.2, (50_000, 1))
    critical, bounds = simultaneous_intervals(np.array([0.3]), draws)
    assert critical == pytest.approx(1.96, abs=0.02)
    np.testing.assert_allclose(bounds, [[0.3 - 1.96 * 0.2, 0.3 + 1.96 * 0.2]], atol=0.005)


def test_independent_statistics_pay_what_sidak_says_and_equal_ones_nothing() -> None:
    draws = np.random.default_rng(1).normal(size=(50_000, 20))
    independent, _ = simultaneous_intervals(np.zeros(20), draws)
    assert independent == pytest.approx(norm.ppf((1 + 0.95 ** (1 / 20)) / 2), abs=0.05)
    equal, _ = simultaneous_intervals(np.zeros(20), np.repeat(draws[:, :1], 20, axis=1))
    assert equal == pytest.approx(1.96, abs=0.03)


def test_a_direct_implementation_agrees() -> None:
    rng = np.random.default_rng(2)
    values, replicates = rng.normal(size=4), rng.normal(size=(60, 4)) * [1, 2, 0.1, 5]
    spreads = [replicates[:, k].std() for k in range(4)]
    largest = sorted(max(abs(row[k] - values[k]) / spreads[k] for k in range(4)) for row in replicates)
    position = 0.95 * 59
    expected = largest[int(position)] + (position - int(position)) * (
        largest[int(position) + 1] - largest[int(position)]
    )
    critical, bounds = simultaneous_intervals(values, replicates)
    assert critical == pytest.approx(expected)
    np.testing.assert_allclose(bounds[:, 1] - values, [expected * spread for spread in spreads])


def test_what_never_moves_and_what_is_undefined_change_nothing_for_the_others() -> None:
    draws = np.random.default_rng(3).normal(size=(2000, 2))
    alone, bounds = simultaneous_intervals(np.zeros(2), draws)
    still = np.full(2000, 0.25) + 1e-16 * np.arange(2000)
    more = np.column_stack([draws, still])
    with_still, among = simultaneous_intervals(np.array([0, 0, 0.25]), more)
    assert with_still == alone
    np.testing.assert_array_equal(among[:2], bounds)
    np.testing.assert_allclose(among[2], 0.25)
    holes = draws.copy()
    holes[:50, 1] = np.nan
    assert simultaneous_intervals(np.zeros(2), holes)[0] == pytest.approx(alone, rel=0.03)


def test_without_replicates_there_are_no_bounds() -> None:
    critical, bounds = simultaneous_intervals(np.zeros(3), np.empty((0, 3)))
    assert np.isnan(critical)
    assert np.isnan(bounds).all()


def test_fifteen_comparisons_of_equals_err_together_as_rarely_as_one_alone() -> None:
    """400 experiments: one error in twenty is 20, with a binomial standard deviation of 4.4; three of them are allowed.

    The bootstrap of 60 observations is a little too narrow, which adds about one error in a hundred.
    """
    rng = np.random.default_rng(4)
    alone = together = 0
    for _ in range(400):
        sample = rng.normal(size=(60, 15)) + rng.normal(size=(60, 1))
        means = rng.multinomial(60, np.full(60, 1 / 60), 400) @ sample / 60
        _, bounds = simultaneous_intervals(sample.mean(axis=0), means)
        together += bool(((bounds[:, 0] > 0) | (bounds[:, 1] < 0)).any())
        low, high = np.quantile(means, [0.025, 0.975], axis=0)
        alone += bool(((low > 0) | (high < 0)).any())
    assert 20 - 3 * 4.4 <= together <= 24 + 3 * 4.4
    assert alone > 2.5 * together
