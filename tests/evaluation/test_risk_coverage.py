from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.errors import DataError
from lobule.evaluation.risk_coverage import confidence_of, risk_coverage, risk_coverage_areas

_UNITS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.5])), min_size=1, max_size=30)


def test_confident_answers_come_first() -> None:
    curve = risk_coverage(np.array([True, False, False, True]), np.array([0.1, 0.4, 0.3, 0.2]))
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert curve.confidence.tolist() == [0.4, 0.3, 0.2, 0.1]
    assert curve.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


def test_accuracy_is_read_where_enough_is_answered() -> None:
    curve = risk_coverage(np.array([True, False, False, True]), np.array([0.1, 0.4, 0.3, 0.2]))
    assert curve.accuracy_at(0.5) == 1.0
    assert curve.accuracy_at(0.51) == pytest.approx(2 / 3)
    assert curve.accuracy_at(1.0) == 0.5


def test_equal_confidence_is_answered_in_one_step() -> None:
    curve = risk_coverage(np.array([True, False, True]), np.array([0.3, 0.3, 0.3]))
    assert curve.coverage.tolist() == [1.0]
    assert curve.area == pytest.approx(2 / 3)


def test_confidence_is_the_distance_from_the_threshold() -> None:
    probability = np.array([0.5, 0.2, 0.8, 0.0, 1.0])
    at_half = confidence_of(probability, np.full(5, 0.5))
    assert at_half.tolist() == pytest.approx([0, np.log(4), np.log(4), np.log(1e9), np.log(1e9)], rel=1e-6)
    assert confidence_of(probability, np.full(5, 0.2))[:3].tolist() == pytest.approx([np.log(4), 0, np.log(16)])


@given(units=_UNITS, seed=st.integers(0, 99))
def test_order_of_units_changes_nothing(units: list[tuple[bool, float]], seed: int) -> None:
    wrong, confidence = (np.array(part) for part in zip(*units, strict=True))
    order = np.random.default_rng(seed).permutation(len(wrong))
    one, other = risk_coverage(wrong, confidence), risk_coverage(wrong[order], confidence[order])
    assert one.to_frame().equals(other.to_frame())
    assert one.risk[-1] == pytest.approx(wrong.mean())


@given(units=_UNITS, seed=st.integers(0, 99))
def test_replicates_are_the_curves_of_repeated_units(units: list[tuple[bool, float]], seed: int) -> None:
    wrong, confidence = (np.array(part) for part in zip(*units, strict=True))
    rng = np.random.default_rng(seed)
    case = rng.integers(0, 4, len(wrong))
    times = np.array([[1.0, 1, 1, 1], rng.integers(0, 3, 4), [0, 0, 0, 0]])
    areas = risk_coverage_areas(wrong, confidence, case=case, multiplicity=times)
    assert areas[0] == pytest.approx(risk_coverage(wrong, confidence).area)
    repeated = np.repeat(np.arange(len(wrong)), times[1, case].astype(int))
    if len(repeated):
        assert areas[1] == pytest.approx(risk_coverage(wrong[repeated], confidence[repeated]).area)
    assert np.isnan(areas[2])


def test_shapes_must_agree() -> None:
    with pytest.raises(DataError, match="two arrays of one length"):
        risk_coverage(np.array([True]), np.array([0.1, 0.2]))
    with pytest.raises(DataError, match="at least 1"):
        risk_coverage(np.zeros(0, bool), np.zeros(0))
