"""Many units: replicates on nodes are those of every unit, as near as the bootstrap can see; and nothing is slow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lobule.evaluation import binary, measures, risk_coverage
from lobule.evaluation.binary import binary_values
from lobule.evaluation.columns import round_digits
from lobule.evaluation.intervals import case_multiplicities
from lobule.evaluation.levels import Units, images_of, units_of
from lobule.evaluation.measures import binary_rules, measure
from lobule.evaluation.nodes import node_counts, nodes_of
from lobule.evaluation.risk_coverage import confidence_of, risk_coverage_areas
from tests.evaluation.conftest import make_predictions

_MODULES = (binary, measures, risk_coverage)


@pytest.fixture(scope="module")
def units() -> Units:
    predictions = make_predictions(images=6000, cases=300, digits=3)
    return units_of(images_of(predictions, "binary", "folds"), "image")


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything count as many units."""
    for module in _MODULES:
        monkeypatch.setattr(module, "MOST_IN_FULL", 100)


def _drawn(units: Units, replicates: int = 200) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return next(case_multiplicities(units.case, units.malignant, replicates=replicates, seed=3, block=replicates))


def test_areas_on_nodes_are_nearly_those_of_every_unit(units: Units, many: None) -> None:
    drawn = _drawn(units)
    on_nodes = binary_values(units, drawn)
    one_by_one = [binary_values(units, row[None]) for row in drawn]
    for name in ("auroc", "average_precision"):
        exact = np.concatenate([values[name] for values in one_by_one])
        assert np.abs(on_nodes[name] - exact).max() < 0.02 * exact.std()
    wrong, confidence = units.predicted != units.true, confidence_of(units.probability, units.threshold)
    areas = risk_coverage_areas(wrong, confidence, case=units.case, multiplicity=drawn)
    exact = np.concatenate(
        [risk_coverage_areas(wrong, confidence, case=units.case, multiplicity=row[None]) for row in drawn]
    )
    assert np.abs(areas - exact).max() < 0.02 * exact.std()


def test_areas_of_perfect_ranks_stay_areas(units: Units, many: None) -> None:
    perfect = replace(units, score=units.true + units.score / 1e6)
    for name, values in binary_values(perfect, _drawn(units)).items():
        if name in ("auroc", "average_precision"):
            assert values.max() <= 1
            assert values.min() > 0.999


def test_the_draws_of_many_units_are_those_of_few(
    units: Units, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    def values_of(multiplicity: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> dict[str, np.ndarray]:
        return binary_values(units, multiplicity)

    few = measure(units, binary_rules(units), values_of, bootstrap=700, seed=1)
    request.getfixturevalue("many")
    counted = measure(units, binary_rules(units), values_of, bootstrap=700, seed=1)
    for name, one in few.items():
        other = counted[name]
        assert (one.value, one.n_images, one.n_cases) == (other.value, other.n_images, other.n_cases)
        if one.low is None or one.high is None:
            assert other.low is None
            continue
        assert other.low == pytest.approx(one.low, abs=0.02 * (one.high - one.low))
        assert other.high == pytest.approx(one.high, abs=0.02 * (one.high - one.low))


@pytest.mark.parametrize("each", [1, 2**20 + 1], ids=["in single precision", "too many for it"])
def test_counts_at_nodes_are_those_of_their_units(each: int) -> None:
    rng = np.random.default_rng(0)
    case, chosen = rng.integers(0, 7, 500), rng.random(500) < 0.3
    value = np.round(rng.normal(size=500), 1)
    order = np.argsort(value, kind="stable")
    node = nodes_of(order, np.append(np.flatnonzero(np.diff(value[order])), 499))
    for one in np.unique(value):
        assert len(np.unique(node[value == one])) == 1
    assert (np.diff(node[order]) >= 0).all()
    assert sorted(set(node.tolist())) == list(range(node.max() + 1))
    multiplicity = each * rng.integers(0, 4, (3, 7)).astype(np.float64)
    reached, positives = node_counts(case, node, chosen, multiplicity)
    for row, times in enumerate(multiplicity):
        np.testing.assert_array_equal(reached[row], np.bincount(node, weights=times[case]))
        np.testing.assert_array_equal(positives[row], np.bincount(node, weights=times[case] * chosen))


def test_nine_digits_by_arithmetic_are_those_of_the_text() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            rng.normal(size=20_000) * 10.0 ** rng.integers(-30, 35, 20_000),
            rng.random(20_000),
            np.round(rng.normal(size=20_000), 9) + 5e-10,  # half-way, as far as binary goes
            rng.integers(1, 10**9, 20_000) * 10.0 ** rng.integers(-12, 12, 20_000),
            1 - 10.0 ** -rng.integers(1, 16, 500),
            [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 1.7976931348623157e308, 0.1, 999_999_999.5, 99_999_999.95],
        ]
    )
    expected = np.array([float(f"{value:.9g}") for value in values.tolist()])
    np.testing.assert_array_equal(round_digits(values), expected)
    np.testing.assert_array_equal(np.signbit(round_digits(values)), np.signbit(expected))
    assert round_digits(np.array([[0.1], [1 / 3]])).shape == (2, 1)
