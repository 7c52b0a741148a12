from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.errors import DataError
from lobule.evaluation.columns import PREDICTION_COLUMNS, logit_columns, probability_columns, round_digits, tidy
from tests.evaluation.conftest import make_predictions


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounded_numbers_survive_text(value: float) -> None:
    rounded = round_digits(np.array([[value]]))
    assert rounded.shape == (1, 1)
    assert float(f"{rounded[0, 0]:.9g}") == rounded[0, 0]
    assert rounded[0, 0] == pytest.approx(value, rel=1e-8)


def test_columns_of_the_tasks() -> None:
    assert (logit_columns("binary"), probability_columns("binary")) == (("logit_malignant",), ("prob_malignant",))
    assert set(logit_columns("subtype") + probability_columns("subtype")) < set(PREDICTION_COLUMNS)


def test_tidy_types_what_it_is_given() -> None:
    frame = make_predictions(images=16, cases=16).frame
    loose = frame.assign(extra=1, reason=None, novelty="", fold=[1.0] * 15 + [np.nan], case_id=range(16))
    found = tidy(loose)
    assert list(found.columns) == list(PREDICTION_COLUMNS)
    assert found["case_id"].tolist() == [str(number) for number in range(16)]
    assert found["reason"].tolist() == [""] * 16
    assert found["fold"].isna().sum() == 1
    assert (str(found["fold"].dtype), str(found["novelty"].dtype)) == ("Int64", "float64")


def test_tidy_counts_the_other_wrong_rows() -> None:
    frame = make_predictions(images=16, cases=16).frame
    with pytest.raises(DataError, match=r"column verdict, row 1 \(and 15 more rows\): received 'maybe'"):
        tidy(frame.assign(verdict="maybe"))


def test_no_rows_are_allowed() -> None:
    assert len(tidy(pd.DataFrame(columns=list(PREDICTION_COLUMNS)))) == 0
