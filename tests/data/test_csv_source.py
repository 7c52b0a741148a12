from __future__ import annotations

from pathlib import Path

import pytest

from lobule.data.csv_source import list_csv
from lobule.data.layouts import Classes, Listing
from lobule.errors import ConfigError, DataError


def listed(folder: Path, text: str | bytes, labels: dict[str, str] | None = None, /, **columns: str) -> Listing:
    table = folder / "table.csv"
    table.write_bytes(text.encode() if isinstance(text, str) else text)
    return list_csv(table, columns=columns, classes=Classes(labels or {}))


def test_columns_and_labels_are_mapped(tmp_path: Path) -> None:
    listing = listed(
        tmp_path,
        "file,dx,accession,zoom\na.png,1,K1,40X\nb.png,0,K2,\n",
        {"1": "malignant", "0": "benign"},
        path="file",
        label="dx",
        case_id="accession",
        magnification="zoom",
    )
    rows = [(item.path, item.label, item.case_id, item.magnification) for item in listing.descriptions]
    assert rows == [("a.png", "malignant", "K1", 40), ("b.png", "benign", "K2", None)]
    assert listing.root == tmp_path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_common_delimiter_and_a_byte_order_mark(tmp_path: Path, delimiter: str) -> None:
    text = "\ufeff" + "path,label,mpp\na.png,benign,0.5\n".replace(",", delimiter)
    (item,) = listed(tmp_path, text).descriptions
    assert (item.path, item.label, item.mpp) == ("a.png", "benign", 0.5)


def test_a_subtype_brings_its_label_and_a_row_wins_over_the_name(tmp_path: Path) -> None:
    name = "SOB_B_A-14-22549AB-100-001.png"
    listing = listed(tmp_path, f"path,subtype,case_id\na.png,Ductal Carcinoma,1\n{name},,\n")
    ductal, named = listing.descriptions
    assert (ductal.label, ductal.subtype) == ("malignant", "ductal_carcinoma")
    assert (named.label, named.subtype, named.case_id) == ("benign", "adenosis", "14-22549")
    (overruled,) = listed(tmp_path, f"path,label\n{name},malignant\n").descriptions
    assert (overruled.label, overruled.subtype, overruled.magnification) == ("malignant", "", 100)


def test_bad_rows_fail_alone(tmp_path: Path) -> None:
    text = """path,label,subtype,magnification,mpp
good.png,benign,,,
a.png,normal,,,
b.png,benign,ductal_carcinoma,,
c.png,benign,,many,
d.png,benign,,,-1
good.png,benign,,,
,benign,,,
e.png,,,,
"""
    listing = listed(tmp_path, text)
    assert [item.path for item in listing.descriptions] == ["good.png"]
    reasons = {failure.path: failure.reason for failure in listing.failures}
    assert "--labels normal=benign" in reasons["a.png"]
    assert "contradict" in reasons["b.png"]
    assert "magnification 'many'" in reasons["c.png"]
    assert "mpp '-1'" in reasons["d.png"]
    assert "same path" in reasons["good.png"]
    assert "path is empty" in reasons["table.csv row 8"]
    assert "no class" in reasons["e.png"]


def test_paths_of_other_systems_and_absolute_ones(tmp_path: Path) -> None:
    text = f"path,label\nsub\\a.png,benign\n{tmp_path / 'b.png'},benign\n"
    assert [item.path for item in listed(tmp_path, text).descriptions] == ["sub/a.png", "b.png"]


def test_a_column_can_be_left_unread(tmp_path: Path) -> None:
    text = "path,label,subtype\na.png,malignant,luminal A\n"
    assert not listed(tmp_path, text).descriptions
    assert listed(tmp_path, text, subtype="").descriptions[0].label == "malignant"


@pytest.mark.parametrize(
    ("columns", "message"),
    [({"path": "image"}, "has no column image; it has path, label"), ({"klass": "label"}, "columns: unknown klass")],
)
def test_a_column_that_is_not_there_is_named(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        listed(tmp_path, "path,label\na.png,benign\n", None, **columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a header and at least one row"),
        ("path,label\n", "expected a header and at least one row"),
        ("file,label\na,b\n", "no column `path`"),
        (b"path,label\n\xff,benign\n", "cannot be read as a CSV in UTF-8"),
        ('path,label\n"a,benign\n', "cannot be read as a CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        listed(tmp_path, text)
