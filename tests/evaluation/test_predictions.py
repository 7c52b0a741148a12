from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lobule.errors import DataError
from lobule.evaluation.decision.operating import Operating, undecided
from lobule.evaluation.predictions import PREDICTION_COLUMNS, Predictions, assemble_predictions, sigmoid, softmax
from lobule.taxonomy import SUBTYPES
from tests.evaluation.conftest import make_predictions, manifest_frame

ANY_NUMBER = st.floats(-1e6, 1e6, width=64)


def assemble(logits: NDArray[np.float64], subtype: NDArray[np.float64] | None = None, **options: object) -> Predictions:
    frame = manifest_frame(np.random.default_rng(0), images=len(logits), cases=len(logits))
    fold = np.zeros(len(logits), np.int64)
    arguments: dict[str, object] = {"protocol": "folds", "fold": fold, "logits_subtype": subtype, **options}
    return assemble_predictions(frame, logits_binary=logits, **arguments)  # type: ignore[arg-type]


def write_csv(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_header_is_the_contract(predictions: Predictions, tmp_path: Path) -> None:
    predictions.write(tmp_path / "predictions.csv")
    header = (tmp_path / "predictions.csv").read_text().splitlines()[0]
    assert header == ",".join(
        (
            "image_id,path,pixel_sha256,case_id,patient_id,magnification,label,subtype,protocol,fold",
            "logit_malignant,prob_malignant",
            "logit_adenosis,logit_fibroadenoma,logit_phyllodes_tumor,logit_tubular_adenoma",
            "logit_ductal_carcinoma,logit_lobular_carcinoma,logit_mucinous_carcinoma,logit_papillary_carcinoma",
            "prob_adenosis,prob_fibroadenoma,prob_phyllodes_tumor,prob_tubular_adenoma",
            "prob_ductal_carcinoma,prob_lobular_carcinoma,prob_mucinous_carcinoma,prob_papillary_carcinoma",
            "pred_label,pred_subtype,label_set,novelty,verdict,reason,model_id",
        )
    )
    assert list(PREDICTION_COLUMNS) == header.split(",")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays(np.float64, 4, elements=ANY_NUMBER), arrays(np.float64, (4, 8), elements=ANY_NUMBER))
def test_a_file_gives_back_the_same_numbers(
    tmp_path: Path, binary: NDArray[np.float64], subtype: NDArray[np.float64]
) -> None:
    written = assemble(binary, subtype)
    written.write(tmp_path / "predictions.csv")
    pd.testing.assert_frame_equal(Predictions.read(tmp_path / "predictions.csv").frame, written.frame, check_exact=True)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_a_file_gives_back_the_same_text(tmp_path: Path, name: str) -> None:
    frame = assemble(np.zeros(2)).frame
    written = Predictions(frame.assign(case_id=name, path=f"{name}, NA", reason=f'"{name}"\n'))
    written.write(tmp_path / "predictions.csv")
    pd.testing.assert_frame_equal(Predictions.read(tmp_path / "predictions.csv").frame, written.frame)


def test_a_file_is_the_same_in_however_many_parts_it_is_written(
    predictions: Predictions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions.write(tmp_path / "whole.csv")
    monkeypatch.setattr("lobule.evaluation.predictions._ROWS_AT_ONCE", 7)
    assert len(predictions) > 14
    predictions.write(tmp_path / "parts.csv")
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    predictions.select("predict").write(tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text() == (tmp_path / "whole.csv").read_text().splitlines()[0] + "\n"


def _operating(*, temperature: float = 1.0, threshold: float = 0.5, subtype_temperature: float = 1.0) -> Operating:
    plain = undecided(threshold=threshold)
    image = plain.image.model_copy(update={"temperature": temperature})
    return plain.model_copy(update={"image": image, "subtype_temperature": subtype_temperature})


def test_probabilities_follow_logits_and_temperature() -> None:
    logits, subtype = np.array([-2.0, 0.0, 3.0]), np.arange(24.0).reshape(3, 8) / 10
    plain = assemble(logits, subtype)
    cooled = assemble(logits, subtype, operating=_operating(temperature=2.0, subtype_temperature=4.0))
    np.testing.assert_allclose(plain.probabilities("binary")[:, 0], 1 / (1 + np.exp(-logits)), rtol=1e-8)
    np.testing.assert_allclose(plain.probabilities("subtype").sum(axis=1), 1, rtol=1e-8)
    np.testing.assert_allclose(cooled.probabilities("binary")[:, 0], 1 / (1 + np.exp(-logits / 2)), rtol=1e-8)
    np.testing.assert_array_equal(cooled.logits("subtype"), plain.logits("subtype"))
    powers = np.exp(subtype[2] / 4)
    np.testing.assert_allclose(cooled.probabilities("subtype")[2], powers / powers.sum(), rtol=1e-8)


def test_predicted_classes_and_verdict() -> None:
    made = assemble(np.array([-0.5, 0.0, np.nan]), np.eye(8)[:3], operating=_operating(threshold=0.6)).frame
    assert made["pred_label"].tolist() == ["benign", "benign", ""]
    assert assemble(np.array([0.0])).frame["pred_label"].tolist() == ["malignant"]
    assert made["pred_subtype"].tolist() == list(SUBTYPES[:3])
    assert made["verdict"].tolist() == made["pred_label"].tolist()


def test_without_subtype_head_its_columns_are_empty() -> None:
    made = assemble(np.zeros(2), None)
    assert np.isnan(made.logits("subtype")).all()
    assert made.frame["pred_subtype"].tolist() == ["", ""]


def test_unlabelled_images_have_empty_columns(tmp_path: Path) -> None:
    frame = manifest_frame(np.random.default_rng(0), images=2, cases=2).assign(label="", subtype="", case_id="")
    frame["magnification"] = pd.array([pd.NA, 40], dtype="Int64")
    made = assemble_predictions(
        frame, protocol="predict", fold=np.array([-1, -1]), logits_binary=np.zeros((2, 1)), logits_subtype=None
    )
    made.write(tmp_path / "predictions.csv")
    row = dict(
        zip(PREDICTION_COLUMNS, (tmp_path / "predictions.csv").read_text().splitlines()[1].split(","), strict=True)
    )
    assert (row["label"], row["fold"], row["magnification"], row["logit_adenosis"]) == ("", "", "", "")
    assert made.frame["fold"].isna().all()


def test_select_and_join() -> None:
    folds, holdout = make_predictions(images=30, cases=16), make_predictions(images=20, cases=16, protocol="holdout")
    both = Predictions.join([holdout, folds])
    pd.testing.assert_frame_equal(both.select("folds").frame, folds.frame)
    assert (len(both), len(both.select("holdout")), len(both.select("predict"))) == (50, 20, 0)
    with pytest.raises(DataError, match="only once"):
        Predictions.join([folds, folds])
    with pytest.raises(DataError, match="at least one"):
        Predictions.join([])


def test_read_fills_a_file_made_elsewhere(tmp_path: Path) -> None:
    text = "\ufeffimage_id,case_id,label,prob_malignant,ink\na,1,benign,0.25,red\nb,2,malignant,1,blue\nc,2,malignant,,"
    read = Predictions.read(write_csv(tmp_path / "theirs.csv", text)).frame
    assert read["protocol"].tolist() == ["predict"] * 3
    assert read["logit_malignant"].tolist()[0] == pytest.approx(np.log(1 / 3), rel=1e-8)
    assert np.isfinite(read["logit_malignant"].tolist()[1])
    assert read["pred_label"].tolist() == ["benign", "malignant", ""]
    assert list(read.columns) == list(PREDICTION_COLUMNS)


def test_read_fills_probabilities_from_logits(tmp_path: Path) -> None:
    text = "image_id,case_id,label,protocol,logit_malignant\na,1,benign,folds,-1.5\n"
    read = Predictions.read(write_csv(tmp_path / "theirs.csv", text))
    assert read.probabilities("binary")[0, 0] == pytest.approx(1 / (1 + np.exp(1.5)), rel=1e-8)
    assert len(read.select("folds")) == 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("image_id,label,prob_malignant\na,benign,0.5\n", ("lacks", "case_id")),
        ("image_id,case_id,label\na,1,benign\n", ("prob_malignant (0 to 1) or logit_malignant",)),
        ("image_id,case_id,label,prob_malignant\na,1,benign,0.5\nb,1,bening,0.5\n", ("label", "row 2", "bening")),
        ("image_id,case_id,label,prob_malignant\na,1,benign,1.5\n", ("prob_malignant", "percent")),
        ("image_id,case_id,label,prob_malignant\na,1,benign,half\n", ("prob_malignant", "row 1", "half", "number")),
        ("image_id,case_id,label,logit_malignant\na,1,benign,inf\n", ("logit_malignant", "finite")),
        ("image_id,case_id,label,prob_malignant\na,1,benign,0\na,1,benign,1\n", ("image_id", "row 2", "only once")),
        ("image_id,case_id,label,prob_malignant\n,1,benign,0\n", ("image_id", "not empty")),
        (
            "image_id,case_id,label,prob_malignant,magnification\na,1,benign,0,high\n",
            ("magnification", "high"),
        ),
        ("image_id,case_id,label,prob_malignant,fold\na,1,benign,0,1.5\n", ("fold", "whole number")),
        (
            "image_id,case_id,label,prob_malignant,subtype\na,1,benign,0,ductal_carcinoma\n",
            ("subtype", "row's label"),
        ),
        ("image_id,case_id,label,prob_malignant,protocol\na,1,benign,0,test\n", ("protocol", "holdout, folds")),
        ("image_id,case_id,label,prob_malignant,label_set\na,1,benign,0,benign|x\n", ("label_set", "benign|x")),
        ("image_id,case_id,label,prob_malignant,prob_adenosis\na,1,benign,0,1\n", ("prob_adenosis", "all eight")),
        ("", ("cannot be read",)),
        ("a,b\n1,2,3\n4,5,6,7\n", ("cannot be read",)),
    ],
)
def test_a_bad_file_is_named_in_the_error(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as caught:
        Predictions.read(write_csv(tmp_path / "theirs.csv", text))
    assert [part for part in parts if part not in str(caught.value)] == []


def test_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Predictions.read(tmp_path / "none.csv")
    (tmp_path / "image.csv").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="cannot be read"):
        Predictions.read(tmp_path / "image.csv")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("fold", np.zeros(3, np.int64)),
        ("logits_subtype", np.zeros((2, 7))),
        ("novelty", np.zeros(3)),
        ("refusals", ["blank"]),
    ],
)
def test_assemble_names_the_wrong_argument(argument: str, value: object) -> None:
    with pytest.raises(DataError, match=argument):
        assemble(np.zeros(2), **{argument: value})  # type: ignore[arg-type]


def test_assemble_names_missing_columns() -> None:
    with pytest.raises(DataError, match="missing columns case_id"):
        assemble_predictions(
            manifest_frame(np.random.default_rng(0), images=1, cases=1).drop(columns="case_id"),
            protocol="folds",
            fold=np.zeros(1, np.int64),
            logits_binary=np.zeros(1),
            logits_subtype=None,
        )
    with pytest.raises(DataError, match="missing columns"):
        Predictions(pd.DataFrame({"image_id": ["a"]}))


def test_activations_do_not_overflow() -> None:
    np.testing.assert_array_equal(sigmoid(np.array([-1e4, 0, 1e4])), [0, 0.5, 1])
    np.testing.assert_array_equal(softmax(np.array([[1e4, -1e4]])), [[1, 0]])
