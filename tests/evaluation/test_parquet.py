from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from lobule.errors import DataError, MissingExtraError
from lobule.evaluation.metrics import evaluate
from lobule.evaluation.predictions import Predictions
from tests.evaluation.conftest import make_predictions


def test_a_table_gives_back_what_a_csv_gives_back(tmp_path: Path) -> None:
    import duckdb

    predictions = make_predictions()
    predictions.write(tmp_path / "p.parquet")
    predictions.write(tmp_path / "p.csv")
    tables = [Predictions.read(tmp_path / name) for name in ("p.parquet", "p.csv")]
    pd.testing.assert_frame_equal(tables[0].frame, tables[1].frame)
    assert evaluate(tables[0], bootstrap=5) == evaluate(predictions, bootstrap=5)
    query = f"SELECT image_id, prob_malignant, magnification FROM '{tmp_path}/p.parquet'"
    rows = duckdb.sql(query).fetchall()
    assert [row[0] for row in rows] == predictions.frame["image_id"].tolist()
    assert [row[1] for row in rows] == predictions.frame["prob_malignant"].tolist()
    assert (tmp_path / "p.parquet").stat().st_size < (tmp_path / "p.csv").stat().st_size


@pytest.mark.parametrize(("lost", "said"), [("case_id", "lacks the columns case_id"), ("malignant", "needs a column")])
def test_a_table_that_cannot_be_scored_says_what_it_lacks(tmp_path: Path, lost: str, said: str) -> None:
    frame = make_predictions().frame
    frame.drop(columns=[name for name in frame.columns if lost in name]).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(DataError, match=rf"p\.parquet {said}"):
        Predictions.read(tmp_path / "p.parquet")


def test_a_damaged_table_and_a_missing_library_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(DataError, match=r"p\.parquet: cannot be read as Parquet"):
        Predictions.read(tmp_path / "p.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "lobule\[data\]"'):
        Predictions.read(tmp_path / "p.parquet")
