from __future__ import annotations

import numpy as np

from lobule.evaluation.sums import confusions, divide, weighted_sums

CASE = np.array([0, 1, 1, 2])
MULTIPLICITY = np.array([[1.0, 1, 1], [0, 2, 1]])


def test_sums_count_a_unit_as_often_as_its_case() -> None:
    columns = np.array([[1.0, 10], [2, 20], [3, 30], [4, 40]])
    assert weighted_sums(CASE, columns, MULTIPLICITY).tolist() == [[10, 100], [14, 140]]


def test_confusions_count_cells() -> None:
    cell = np.array([0, 3, 0, 3])
    assert confusions(CASE, cell, MULTIPLICITY, cells=4).tolist() == [[2, 0, 0, 2], [2, 0, 0, 3]]
    values = np.array([1.0, 2, 3, 4])
    assert confusions(CASE, cell, MULTIPLICITY, cells=4, values=values).tolist() == [[4, 0, 0, 6], [6, 0, 0, 8]]


def test_a_ratio_over_nothing_is_undefined() -> None:
    quotient = divide(np.array([1.0, 0.0, 1.0]), np.array([2.0, 0.0, 0.0]))
    assert quotient[0] == 0.5
    assert np.isnan(quotient[1:]).all()
