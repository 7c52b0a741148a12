from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lobule.data.manifest import COLUMNS, Manifest
from lobule.errors import DataError
from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS, SUBTYPES

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


def row(image_id: str = "a", **values: Any) -> dict[str, Any]:
    known = {
        "image_id": image_id,
        "path": f"{image_id}.png",
        "pixel_sha256": "0" * 64,
        "width": 700,
        "height": 460,
        "label": "benign",
        "subtype": "",
        "patient_id": "p",
        "case_id": "c",
    }
    return known | values


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(st.lists(TEXT, min_size=1, max_size=5, unique=True))
    return [
        row(
            image_id,
            path=draw(TEXT),
            **_class(draw(st.sampled_from([*LABELS, *SUBTYPES]))),
            patient_id=draw(TEXT),
            case_id=draw(TEXT),
            magnification=draw(st.sampled_from([None, 40, 400])),
            mpp=draw(st.none() | st.floats(1e-6, 1000)),
        )
        for image_id in ids
    ]


def _class(name: str) -> dict[str, str]:
    return {"label": LABEL_OF_SUBTYPE.get(name, name), "subtype": name if name in SUBTYPES else ""}


@given(rows())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_what_is_written_is_read_back(tmp_path: Path, items: list[dict[str, Any]]) -> None:
    written = Manifest.from_rows(items, root=tmp_path)
    written.write(tmp_path / "manifest.csv")
    read = Manifest.read(tmp_path / "manifest.csv")
    pd.testing.assert_frame_equal(read.frame, written.frame)
    assert read.digest == written.digest
    assert read.root == tmp_path


@settings(max_examples=20, deadline=None)
@given(rows(), st.randoms())
def test_the_digest_ignores_order_and_place(items: list[dict[str, Any]], random: Any) -> None:
    before = Manifest.from_rows(items, root=Path("a")).digest
    moved = [item | {"path": "elsewhere/" + item["path"]} for item in items]
    random.shuffle(moved)
    assert Manifest.from_rows(moved, root=Path("b")).digest == before


@pytest.mark.parametrize("column", ["image_id", "pixel_sha256", "label", "patient_id", "case_id"])
def test_the_digest_sees_every_change_that_matters(column: str) -> None:
    changed = {"label": "malignant"}.get(column, "f" * 64)
    assert (
        Manifest.from_rows([row(**{column: changed})], root=Path()).digest
        != Manifest.from_rows([row()], root=Path()).digest
    )


def test_columns_have_their_types() -> None:
    frame = Manifest.from_rows([row(magnification=40), row("b", mpp=0.5)], root=Path()).frame
    assert tuple(frame.columns) == COLUMNS
    assert frame["width"].dtype == np.int64
    assert str(frame["magnification"].dtype) == "Int64"
    assert frame["magnification"].isna().tolist() == [False, True]
    assert frame["mpp"].isna().tolist() == [True, False]
    assert frame["subtype"].tolist() == ["", ""]


def test_a_manifest_does_not_change_with_the_frame_it_was_made_of() -> None:
    frame = Manifest.from_rows([row()], root=Path()).frame
    manifest = Manifest(frame, Path())
    frame.loc[0, "label"] = "malignant"
    assert manifest.frame["label"].tolist() == ["benign"]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([row(), row()], "image_id must be unique"),
        ([row(label="normal")], "label must be one of benign, malignant"),
        ([row(subtype="adenoma")], "subtype must be empty or one of"),
        ([row(subtype="ductal_carcinoma")], "label and subtype must agree"),
        ([row(case_id="")], "column case_id must not be empty"),
        ([row(path=None)], "column path must not be empty"),
        ([row(width="wide")], "column width: expected numbers"),
        ([row(magnification=0)], "magnification must be positive"),
        ([row(magnification=0.5)], "column magnification: expected numbers"),
        ([row(mpp=-1)], "mpp must be positive"),
        ([row(mpp="inf")], "mpp must be positive"),
    ],
)
def test_a_wrong_row_is_refused(items: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Manifest.from_rows(items, root=Path())


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="columns missing: width, height"):
        Manifest(pd.DataFrame([row()]).drop(columns=["width", "height"]).assign(magnification=1, mpp=1), Path())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "received none"),
        (b"a,b\n1,2\n", "received a, b"),
        (",".join(COLUMNS).encode() + b"\n1,2\n", "row 2 does not have 11 fields"),
        (b"\xff\xfe\x00", "cannot be read"),
        (",".join(COLUMNS).encode() + b'\n"1', "cannot be read"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        Manifest.read(tmp_path / "manifest.csv")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lobule data scan"):
        Manifest.read(tmp_path / "manifest.csv")


def test_select_keeps_the_given_order() -> None:
    manifest = Manifest.from_rows([row("a"), row("b"), row("c")], root=Path("/data"))
    assert manifest.select(["c", "a"]).paths == [Path("/data/c.png"), Path("/data/a.png")]
    with pytest.raises(DataError, match=r"1 of 2 are not in the manifest, first \['x'\]"):
        manifest.select(["a", "x"])
    with pytest.raises(DataError, match="unique"):
        manifest.select(["a", "a"])


def test_an_empty_manifest_has_its_columns(tmp_path: Path) -> None:
    Manifest.from_rows([], root=tmp_path).write(tmp_path / "manifest.csv")
    assert len(Manifest.read(tmp_path / "manifest.csv")) == 0
