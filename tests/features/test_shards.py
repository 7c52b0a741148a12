from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lobule.errors import ConfigError, MissingExtraError
from tests.features.test_store import SIZE, _digests, _store, _values


def test_a_store_of_tables_is_read_by_others_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb
    import pandas as pd
    import pyarrow.dataset

    monkeypatch.setenv("LOBULE_SHARDS", "parquet")
    _store(tmp_path).append(_digests(1, 2), "identity", _values(1, 2))
    _store(tmp_path).append(_digests(3), "identity", _values(3))
    folder = tmp_path / "identity"
    assert {path.suffix for path in folder.iterdir()} == {".parquet"}
    expected = dict(zip(_digests(1, 2, 3), _values(1, 2, 3), strict=True))
    query = f"SELECT pixel_sha256, features FROM '{folder}/*.parquet'"
    tables = [
        duckdb.sql(query).fetchall(),
        pyarrow.dataset.dataset(folder).to_table().to_pandas().to_numpy().tolist(),
        pd.read_parquet(folder).to_numpy().tolist(),
    ]
    for rows in tables:
        assert {digest for digest, _ in rows} == set(expected)
        for digest, features in rows:
            np.testing.assert_array_equal(np.asarray(features, np.float32), expected[digest])
            assert len(features) == SIZE


def test_both_kinds_lie_side_by_side_and_damage_is_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _store(tmp_path).append(_digests(1), "identity", _values(1))
    monkeypatch.setenv("LOBULE_SHARDS", "parquet")
    _store(tmp_path).append(_digests(2), "identity", _values(2))
    found, features = _store(tmp_path).read(_digests(1, 2), "identity")
    assert found.all()
    np.testing.assert_array_equal(features, _values(1, 2))
    (table,) = (tmp_path / "identity").glob("*.parquet")
    table.write_bytes(table.read_bytes()[:-3])
    assert _store(tmp_path).read(_digests(1, 2), "identity")[0].tolist() == [True, False]


def test_what_is_no_table_of_features_is_no_shard(tmp_path: Path) -> None:
    import hashlib
    import io

    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"other": [1]}), stream)
    (tmp_path / "identity").mkdir()
    for content in (stream.getvalue(), b"PAR1"):
        (tmp_path / "identity" / f"{hashlib.sha256(content).hexdigest()}.parquet").write_bytes(content)
    assert not _store(tmp_path).read(_digests(1), "identity")[0].any()


def test_what_tables_need_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBULE_SHARDS", "csv")
    with pytest.raises(ConfigError, match=r"LOBULE_SHARDS=csv.*parquet"):
        _store(tmp_path).append(_digests(1), "identity", _values(1))
    monkeypatch.setenv("LOBULE_SHARDS", "parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "lobule\[data\]"'):
        _store(tmp_path).append(_digests(1), "identity", _values(1))
