"""Tables as spreadsheet programs write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lobule.errors import DataError
from lobule.evaluation.metrics import evaluate
from lobule.evaluation.predictions import Predictions

_PLAIN = "image_id,case_id,label,prob_malignant,magnification\na,1,benign,0.25,40\nb,2,malignant,0.75,100\n"


def _write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "theirs.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (_PLAIN, "utf-8-sig"),
        (_PLAIN, "utf-16"),
        (_PLAIN.replace("\n", "\r\n"), "cp1252"),
        (_PLAIN.replace("\n", "\r"), "utf-8"),
        (_PLAIN.replace(",", ";").replace("0.", "0,"), "utf-8-sig"),
        ("sep=;\n" + _PLAIN.replace(",", ";"), "utf-8"),
        (_PLAIN.replace(",", "\t").replace("0.", "0,"), "utf-16"),
        (_PLAIN + ",,,,\n,,,,\n", "utf-8"),
        (_PLAIN.replace("0.25", '"0,25"').replace("0.75", '"0,75"'), "utf-8"),
        (_PLAIN.replace("image_id,case_id,label,prob_malignant", " File Name ,Case,LABEL,Probability"), "utf-8"),
        (_PLAIN.replace("benign", "Benign ").replace("malignant,0", "MALIGNANT,0").replace("40", "40X"), "utf-8"),
        (_PLAIN.replace("magnification", "magnification,Anmerkung ü").replace(",100", ",100,größer"), "cp1252"),
    ],
)
def test_the_same_table_in_many_hands(tmp_path: Path, text: str, encoding: str) -> None:
    frame = Predictions.read(_write(tmp_path, text, encoding)).frame
    assert frame["image_id"].tolist() == ["a", "b"]
    assert frame["case_id"].tolist() == ["1", "2"]
    assert frame["label"].tolist() == ["benign", "malignant"]
    assert frame["prob_malignant"].tolist() == [0.25, 0.75]
    assert frame["magnification"].tolist() == [40, 100]


def test_names_of_breakhis_tell_what_is_missing(tmp_path: Path) -> None:
    text = "path;probability\nx\\SOB_B_A-14-22549AB-40-001.png;0,1\ny/SOB_M_DC-14-13412-400-003.png;0,9\n"
    frame = Predictions.read(_write(tmp_path, text)).frame
    assert frame["image_id"].tolist() == ["SOB_B_A-14-22549AB-40-001", "SOB_M_DC-14-13412-400-003"]
    assert frame["case_id"].tolist() == ["14-22549", "14-13412"]
    assert frame["subtype"].tolist() == ["adenosis", "ductal_carcinoma"]
    assert evaluate(Predictions(frame), bootstrap=0).value("binary", "accuracy", protocol="predict") == 1.0


def test_what_stands_in_the_table_is_not_overruled_by_names(tmp_path: Path) -> None:
    text = "image_id,case_id,label,prob_malignant\nSOB_B_A-14-22549AB-40-001,mine,,0.1\n"
    frame = Predictions.read(_write(tmp_path, text)).frame
    assert (frame["case_id"][0], frame["label"][0]) == ("mine", "")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("image_id,label,prob_malignant\na,benign,0.5\n", ("lacks the columns case_id", "case of its own")),
        ("image_id,case_id,label,pred_label\na,1,benign,benign\n", ("prob_malignant", "labels alone cannot be scored")),
        ("image,file,case_id,label,prob_malignant\na,b,1,benign,0\n", ("several columns", "image_id")),
        ("image_id,case_id,label,prob_malignant\na,1,benign,25%\n", ("prob_malignant", "percent", "divide it by 100")),
        ("image_id,case_id,label,prob_malignant\na,1,benign,25\n", ("prob_malignant", "percent")),
        ("image_id,case_id,label,prob_benign\na,1,benign,0.25\n", ("prob_malignant", "1 minus")),
        (
            "image_id,case_id,label,prob_malignant,logit_malignant\na,1,benign,0.2,1\nb,1,benign,0.7,-1\n",
            ("contradict each other", "'b'", "'a'"),
        ),
        ("image_id;case_id;label;prob_malignant\na;1;benign;1.000,5\n", ("prob_malignant", "1.000,5")),
        ("image_id,case_id,label,prob_malignant\n", ()),
    ],
)
def test_what_cannot_be_scored_is_refused_with_what_to_do(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    if not parts:
        assert len(Predictions.read(_write(tmp_path, text))) == 0
        return
    with pytest.raises(DataError) as caught:
        Predictions.read(_write(tmp_path, text))
    assert [part for part in parts if part not in str(caught.value)] == []


def test_a_workbook_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "theirs.xlsx").write_bytes(b"PK\x03\x04" + b"\x00" * 100)
    with pytest.raises(DataError, match=r"is a workbook.*save the sheet as CSV"):
        Predictions.read(tmp_path / "theirs.xlsx")
    with pytest.raises(DataError, match="cannot be read"):
        Predictions.read(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"a,b\x00\x01")
    with pytest.raises(DataError, match="no text"):
        Predictions.read(tmp_path / "bytes.csv")
