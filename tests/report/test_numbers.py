from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.report.numbers import (
    Number,
    class_number,
    count,
    headline_protocol,
    magnifications_of,
    number_of,
    percent,
    spelled,
)

_SHARES = st.floats(0, 1)


def test_number_is_written_with_its_interval_and_counts() -> None:
    number = number_of(
        {"auroc": {"value": 0.9123, "low": 0.861, "high": 0.9514, "n_images": 775, "n_cases": 51}}, "auroc"
    )
    assert str(number) == "0.912 [0.861–0.951]"
    assert number.counts_text == "775 images, 51 cases"
    assert number.why == ""


def test_missing_value_and_missing_interval_say_why() -> None:
    empty = number_of({"mcc": {"value": None, "low": None, "high": None, "n_images": 3, "n_cases": 1}}, "mcc")
    assert str(empty) == "–"
    assert "not defined" in empty.why
    assert "3 images, 1 case" in empty.why
    bare = Number(value=0.5, n_images=9, n_cases=3)
    assert str(bare) == "0.500 (no interval)"
    assert "fewer than 5 cases in a class that the metric needs, or nothing that varies" in bare.why
    assert "no interval: too few cases, or nothing that varies" in spelled(bare)
    assert str(number_of(None, "auroc")) == str(number_of({"auroc": None}, "auroc")) == "–"


def test_negative_bounds_are_not_joined_by_a_dash() -> None:
    assert Number(value=-0.1, low=-0.25, high=0.05).interval_text == "−0.250 to 0.050"


def test_class_number_takes_interval_and_counts_of_the_class() -> None:
    block = {"recall": 0.6, "intervals": {"recall": {"low": 0.4, "high": 0.8}}, "n_images": 30, "n_cases": 6}
    assert str(class_number(block, "recall")) == "0.600 [0.400–0.800]"
    assert class_number(block, "recall").n_cases == 6
    assert str(class_number(block, "precision")) == "–"


@given(value=_SHARES, low=_SHARES, high=_SHARES)
def test_what_is_written_reads_back_to_three_decimals(value: float, low: float, high: float) -> None:
    number = Number(value=value, low=low, high=high)
    shown = [float(part) for part in (number.value_text, *number.interval_text.split("–"))]
    assert shown == pytest.approx([value, low, high], abs=5.01e-4)


def test_folds_are_the_headline_where_there_are_any() -> None:
    level: dict[str, Any] = {"image": {"auroc": {}}, "case": {}}
    assert headline_protocol({"binary": {"holdout": level, "folds": level}}) == "folds"
    assert headline_protocol({"binary": {"holdout": level}}) == "holdout"
    assert headline_protocol({"binary": {"predict": level}}) == "predict"
    assert headline_protocol({"binary": None}) is None


def test_magnifications_stand_in_order_with_the_unknown_last() -> None:
    strata: dict[str, Any] = {"unknown": {}, "400": {}, "40": {}, "100": {}}
    assert [key for key, _ in magnifications_of({"by_magnification": strata})] == ["40", "100", "400", "unknown"]


def test_words_for_counts_and_shares() -> None:
    assert count(1, "case") == "1 case"
    assert count(7909, "image") == "7,909 images"
    assert count(None, "case") == ""
    assert percent(0.914) == "91\u00a0%"
    assert percent(None) == "–"
