from __future__ import annotations

import pytest

from lobule.report.cells import difference_cell, metric_cell
from lobule.report.numbers import Number


def test_cells_name_their_counts_only_where_they_differ() -> None:
    number = Number(value=0.8, low=0.7, high=0.9, n_images=30, n_cases=6)
    assert metric_cell(number, usual="30 images, 6 cases").notes == ("0.700–0.900",)
    assert metric_cell(number, usual="50 images, 9 cases").notes == ("0.700–0.900", "30 images, 6 cases")


@pytest.mark.parametrize(("value", "place"), [(0.4, 0), (0.7, 50), (1.0, 100), (0.2, 0)])
def test_bars_stay_on_their_axis(value: float, place: float) -> None:
    bar = metric_cell(Number(value=value, low=0.1, high=1.0), axis=(0.4, 1.0), mark=0.5).bar
    assert bar is not None
    assert bar.value == pytest.approx(place)
    assert bar.low == 0
    assert bar.high == pytest.approx(100)
    assert bar.mark == pytest.approx(100 / 6)


def test_difference_is_signed_and_drawn_around_zero() -> None:
    cell = difference_cell(Number(value=0.075, low=0.012, high=0.138), axis=(-0.2, 0.5))
    assert (cell.text, cell.notes) == ("+0.075", ("0.012 to 0.138",))
    assert cell.bar is not None
    assert cell.bar.mark == pytest.approx(100 * 0.2 / 0.7)
    assert difference_cell(Number(value=-0.02), axis=(-0.2, 0.5)).notes == ("no interval",)
    assert difference_cell(Number(), axis=(-0.2, 0.5)).text == "–"
