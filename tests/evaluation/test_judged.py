from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from lobule.errors import DataError
from lobule.evaluation.columns import PREDICTION_COLUMNS, logit_columns, probability_columns, tidy
from lobule.evaluation.decision.operating import undecided
from lobule.evaluation.judged import as_csv, judged, sigmoid
from lobule.evaluation.predictions import Predictions
from tests.evaluation.conftest import make_predictions


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=64))
def test_few_numbers_and_many_go_through_the_same_function_to_the_bit(values: list[float]) -> None:
    few = np.array(values, dtype=np.float64)
    many = sigmoid(np.concatenate([few, np.zeros(65)]))[: len(few)]
    np.testing.assert_array_equal(sigmoid(few).view(np.int64), many.view(np.int64))


def test_a_million_usual_logits_agree_to_the_bit() -> None:
    logits = np.concatenate([np.random.default_rng(0).normal(0, 8, 100_000), np.linspace(-760, 760, 20_001)])
    alone = np.concatenate([sigmoid(part) for part in np.array_split(logits, 2400)])
    np.testing.assert_array_equal(alone, expit(logits))
    edge = -math.log(np.finfo(np.float64).max)
    around = np.array([np.nextafter(edge, -math.inf), edge, np.nextafter(edge, math.inf), -745.2, -1e308])
    np.testing.assert_array_equal(sigmoid(around), expit(around))


def test_text_is_written_as_pandas_writes_it(tmp_path: Path) -> None:
    names = ["a,b", 'say "no"', "two\nlines", " spaced ", "ä", "NA", "nan", "'", "#", "plain"]
    frame = make_predictions(images=len(names), cases=len(names)).frame.assign(image_id=names, path=names)
    predictions = Predictions(frame)
    predictions.write(tmp_path / "p.csv")
    columns = {str(name): [None if pd.isna(cell) else cell for cell in column] for name, column in frame.items()}
    for name in ("novelty", *logit_columns("subtype"), *probability_columns("subtype")):
        columns[name] = frame[name].tolist()
    assert as_csv(columns) == (tmp_path / "p.csv").read_bytes().decode()
    assert Predictions.of_columns(columns).frame.equals(predictions.frame)


def test_columns_that_are_not_checked_equal_those_that_are() -> None:
    rng = np.random.default_rng(1)
    said = judged(
        rng.normal(0, 4, (7, 1)),
        rng.normal(0, 4, (7, 8)),
        operating=undecided(),
        novelty=rng.random(7) * 1.5,
        refusals=["", "blank: x", *[""] * 5],
    )
    known: dict[str, Any] = {
        "image_id": [f"image-{number}" for number in range(7)],
        "path": [""] * 7,
        "pixel_sha256": ["0" * 64] * 7,
        "case_id": ["14-1", *[""] * 6],
        "patient_id": ["14-1A", *[""] * 6],
        "magnification": [40, *[None] * 6],
        "label": ["benign", *[""] * 6],
        "subtype": ["adenosis", *[""] * 6],
        "protocol": ["predict"] * 7,
        "fold": [None] * 7,
        "model_id": ["x"] * 7,
    }
    unchecked = Predictions.of_columns(known | said).frame
    checked = tidy(unchecked)
    assert list(unchecked.columns) == list(PREDICTION_COLUMNS)
    assert unchecked.equals(checked)
    assert unchecked.dtypes.equals(checked.dtypes)
    assert unchecked["verdict"].tolist()[1] == "not assessable"


def test_lengths_that_differ_are_named() -> None:
    with pytest.raises(DataError, match="refusals: one reason a row"):
        judged(np.zeros(2), None, operating=undecided(), refusals=[""])
    with pytest.raises(DataError, match="logits_subtype: shape"):
        judged(np.zeros(2), np.zeros((2, 3)), operating=undecided())
