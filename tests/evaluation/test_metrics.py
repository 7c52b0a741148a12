from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from lobule.config import DecisionSettings
from lobule.errors import ConfigError, DataError
from lobule.evaluation.binary import BINARY_METRICS
from lobule.evaluation.decision.decide import decide, decided
from lobule.evaluation.metrics import Metrics, evaluate
from lobule.evaluation.predictions import Predictions
from lobule.evaluation.subtype import SUBTYPE_METRICS
from lobule.taxonomy import SUBTYPES
from tests.evaluation.conftest import make_predictions

_AT_HALF = DecisionSettings(threshold="fixed:0.5")


@pytest.fixture(scope="module")
def metrics(predictions: Predictions) -> Metrics:
    holdout = make_predictions(images=60, cases=24, seed=1, protocol="holdout")
    return evaluate(Predictions.join([holdout, predictions]), bootstrap=300)


def folds(document: dict[str, Any], task: str = "binary", level: str = "image") -> Any:
    return document[task]["folds"][level]


def test_the_document_has_the_parts_of_the_contract(metrics: Metrics) -> None:
    document = metrics.document
    assert list(document) == ["schema_version", "binary", "subtype", "controls"]
    assert set(document["binary"]) == {"holdout", "folds", "threshold", "temperature"}
    assert set(document["binary"]["folds"]) == {"image", "case", "case_rules", "refused"}
    assert set(document["binary"]["threshold"]) == {"value", "case", "rule", "cross_fitted"}
    for level in ("image", "case"):
        block = folds(document, level=level)
        extra = {"calibration", "conformal", "risk_coverage"}
        assert set(block) == {*BINARY_METRICS, "confusion_matrix", "by_magnification", "by_subtype"} | extra
        assert set(block["auroc"]) == {"value", "low", "high", "n_images", "n_cases"}
        assert list(block["by_magnification"]) == ["40", "100", "200", "400"]
        assert set(block["by_magnification"]["40"]) == set(BINARY_METRICS)
        assert list(block["by_subtype"]) == list(SUBTYPES)
        block = folds(document, "subtype", level)
        assert set(block) == {*SUBTYPE_METRICS, "confusion_matrix", "by_magnification", "per_class", "calibration"}
        assert list(block["per_class"]) == list(SUBTYPES)
        assert {"precision", "recall", "f1", "n_images", "n_cases"} < set(block["per_class"]["adenosis"])


def test_values_are_those_of_the_out_of_fold_predictions(metrics: Metrics, predictions: Predictions) -> None:
    frame = decided(predictions, decide(predictions)).frame
    malignant = frame["label"].eq("malignant")
    assert metrics.value("binary", "auroc") == pytest.approx(oracle.roc_auc_score(malignant, frame["logit_malignant"]))
    assert metrics.value("binary", "f1") == pytest.approx(
        oracle.f1_score(malignant, frame["pred_label"].eq("malignant"))
    )
    assert metrics.value("subtype", "balanced_accuracy") == pytest.approx(
        oracle.balanced_accuracy_score(frame["subtype"], frame["pred_subtype"])
    )
    cases = frame.assign(malignant=malignant).groupby("case_id")[["malignant", "logit_malignant"]].mean()
    assert metrics.value("binary", "auroc", level="case") == pytest.approx(
        oracle.roc_auc_score(cases["malignant"], cases["logit_malignant"])
    )
    counts = folds(metrics.document)["confusion_matrix"]["counts"]
    assert counts == oracle.confusion_matrix(malignant, frame["pred_label"].eq("malignant")).tolist()


def test_strata_are_the_metrics_of_their_images(predictions: Predictions) -> None:
    frame = predictions.frame
    own = Predictions(frame[frame["magnification"] == 40])
    alone, whole = (evaluate(part, bootstrap=300, decision=_AT_HALF).document for part in (own, predictions))
    assert folds(alone)["recall"] == folds(whole)["by_magnification"]["40"]["recall"]
    mine = frame["subtype"] == "papillary_carcinoma"
    found = folds(whole)["by_subtype"]["papillary_carcinoma"]
    assert found["accuracy"]["value"] == pytest.approx((frame["pred_label"][mine] == "malignant").mean())
    assert (found["recall"]["n_images"], found["recall"]["n_cases"]) == (mine.sum(), 6)
    assert found["specificity"]["value"] is None


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_neither_row_order_nor_names_of_cases_matter(random: Any) -> None:
    made = make_predictions(images=80, cases=24, digits=1)
    rows = list(range(80))
    random.shuffle(rows)
    names = sorted(set(made.frame["case_id"]))
    renamed = dict(zip(names, random.sample(names, len(names)), strict=True))
    frame = made.frame.iloc[rows].assign(case_id=lambda frame: frame["case_id"].map(renamed))
    assert evaluate(Predictions(frame), bootstrap=50) == evaluate(made, bootstrap=50)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_hold_the_value(seed: int) -> None:
    document = evaluate(make_predictions(images=400, cases=80, seed=seed), bootstrap=400).document
    for task, names in (("binary", BINARY_METRICS), ("subtype", SUBTYPE_METRICS)):
        for level in ("image", "case"):
            for name in names:
                measure = folds(document, task, level)[name]
                if measure["value"] == 1 or name == "ece" or (name, level) == ("patient_recognition_rate", "case"):
                    continue
                assert measure["low"] <= measure["value"] <= measure["high"], (task, level, name)
                assert (measure["n_images"] > 0, measure["n_cases"] > 0) == (True, True)


def test_images_of_one_case_are_not_independent() -> None:
    many = make_predictions(images=400, cases=16)
    copied = many.frame.assign(case_id=many.frame["image_id"], patient_id="")
    by_case = folds(evaluate(many, bootstrap=300, decision=_AT_HALF).document)["accuracy"]
    alone = folds(evaluate(Predictions(copied), bootstrap=300, decision=_AT_HALF).document)["accuracy"]
    assert by_case["value"] == pytest.approx(alone["value"])
    assert (by_case["n_cases"], alone["n_cases"]) == (16, 400)
    assert (by_case["low"], by_case["high"]) != (alone["low"], alone["high"])


def test_few_cases_have_counts_and_no_interval() -> None:
    document = evaluate(make_predictions(images=60, cases=8), bootstrap=100).document
    block = folds(document)
    for name in ("auroc", "balanced_accuracy", "recall", "specificity", "precision", "mcc"):
        assert (block[name]["low"], block[name]["high"]) == (None, None)
        assert block[name]["value"] is not None
    assert block["recall"]["n_cases"] == 4
    assert block["accuracy"]["low"] is not None
    assert folds(document, "subtype")["balanced_accuracy"]["value"] is None


def test_proportions_of_cases_have_exact_intervals(predictions: Predictions) -> None:
    block = folds(evaluate(predictions, bootstrap=0).document, level="case")
    assert block["recall"]["low"] < block["recall"]["value"] <= block["recall"]["high"] <= 1
    assert block["auroc"]["low"] is None
    assert folds(evaluate(predictions, bootstrap=0).document)["recall"]["low"] is None


def test_a_subtype_with_one_case_is_null_but_counted() -> None:
    made = make_predictions(images=120, cases=24)
    frame = made.frame
    rare = frame["subtype"].eq("adenosis") & ~frame["case_id"].eq("14-0")
    document = evaluate(Predictions(frame[~rare]), bootstrap=50).document
    found = folds(document, "subtype")["per_class"]["adenosis"]
    assert (found["precision"], found["recall"], found["f1"], found["n_cases"]) == (None, None, None, 1)
    assert found["n_images"] == (frame["case_id"] == "14-0").sum()
    others = [block["recall"] for name, block in folds(document, "subtype")["per_class"].items() if name != "adenosis"]
    assert folds(document, "subtype")["balanced_accuracy"]["value"] == pytest.approx(np.mean(others))


def test_without_truth_a_task_is_null(predictions: Predictions) -> None:
    frame = predictions.frame
    assert evaluate(Predictions(frame.assign(subtype="")), bootstrap=10).document["subtype"] is None
    bare = evaluate(Predictions(frame.assign(subtype="", label="")), bootstrap=10).document
    assert (bare["binary"], bare["subtype"]) == (None, None)


def test_one_label_alone_is_undefined_without_a_warning() -> None:
    made = make_predictions(images=60, cases=24)
    benign = Predictions(made.frame[made.frame["label"] == "benign"])
    block = folds(evaluate(benign, bootstrap=50).document)
    undefined = {name for name in BINARY_METRICS if block[name]["value"] is None}
    assert undefined == {"auroc", "average_precision", "balanced_accuracy", "recall", "f1", "mcc"}
    assert block["recall"]["n_cases"] == 0
    assert block["specificity"]["low"] is not None


def test_a_single_image(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("image_id,case_id,label,prob_malignant\na,1,malignant,0.7\n")
    document = evaluate(Predictions.read(path), bootstrap=10).document
    assert document["binary"]["predict"]["image"]["accuracy"]["value"] == 1
    assert document["binary"]["predict"]["image"]["accuracy"]["low"] is None
    assert list(document["binary"]["predict"]["image"]["by_magnification"]) == ["unknown"]


def test_a_file_of_predictions_scores_the_same(tmp_path: Path, predictions: Predictions) -> None:
    predictions.write(tmp_path / "predictions.csv")
    again = evaluate(Predictions.read(tmp_path / "predictions.csv"), bootstrap=40, seed=3)
    assert again == evaluate(predictions, bootstrap=40, seed=3)
    assert again != evaluate(predictions, bootstrap=40, seed=4)


def test_a_file_of_metrics_gives_back_the_same(tmp_path: Path, metrics: Metrics) -> None:
    metrics.write(tmp_path / "metrics.json")
    text = (tmp_path / "metrics.json").read_text()
    assert Metrics.read(tmp_path / "metrics.json") == metrics
    assert "NaN" not in text
    for number in _numbers(json.loads(text)):
        assert float(f"{number:.9g}") == number


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        return [number for part in (value.values() if isinstance(value, dict) else value) for number in _numbers(part)]
    return [value] if isinstance(value, float) else []


def test_controls_stand_beside_the_model(metrics: Metrics, predictions: Predictions) -> None:
    control = evaluate(predictions, bootstrap=0)
    both = metrics.with_controls({"plain_recipe": control})
    assert both.document["controls"]["plain_recipe"]["binary"] == control.document["binary"]
    assert set(both.with_controls({"majority": control}).document["controls"]) == {"plain_recipe", "majority"}
    assert metrics.document["controls"] == {}


def test_value_of_what_was_not_measured_is_none(metrics: Metrics) -> None:
    assert metrics.value("binary", "auroc", protocol="predict") is None
    assert metrics.value("binary", "patient_recognition_rate", level="case") is None


def test_progress_is_told(predictions: Predictions) -> None:
    told: list[tuple[str, int, int]] = []
    evaluate(predictions, bootstrap=0, progress=lambda stage, done, total: told.append((stage, done, total)))
    assert told == [("evaluate", done, 4) for done in (1, 2, 3, 4)]


def test_arguments_out_of_range(predictions: Predictions) -> None:
    with pytest.raises(ConfigError, match="bootstrap"):
        evaluate(predictions, bootstrap=-1)
    with pytest.raises(ConfigError, match="threshold"):
        evaluate(predictions, decision=DecisionSettings.model_construct(threshold="fixed:1.0", alpha=0.1))


def test_a_file_that_is_no_metrics(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Metrics.read(tmp_path / "none.json")
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        Metrics.read(tmp_path / "metrics.json")
