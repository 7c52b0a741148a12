from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from lobule.evaluation.curves import confusion_matrix, precision_recall_curve, reliability, roc_curve, worst_errors
from lobule.evaluation.decision.decide import decide
from lobule.evaluation.metrics import Metrics, evaluate
from lobule.evaluation.predictions import Predictions


@pytest.fixture(scope="module")
def metrics(predictions: Predictions) -> Metrics:
    return evaluate(predictions, bootstrap=0)


@pytest.mark.parametrize("level", ["image", "case"])
def test_areas_under_the_curves_are_the_metrics(predictions: Predictions, metrics: Metrics, level: str) -> None:
    block = metrics.document["binary"]["folds"][level]
    roc = roc_curve(predictions, level=level)  # type: ignore[arg-type]
    assert roc is not None
    assert oracle.auc(roc.false_positive_rate, roc.recall) == pytest.approx(block["auroc"]["value"])
    curve = precision_recall_curve(predictions, level=level)  # type: ignore[arg-type]
    assert curve is not None
    assert -np.sum(np.diff(curve.recall) * curve.precision[:-1]) == pytest.approx(block["average_precision"]["value"])
    assert len(curve.to_frame()) == len(curve.threshold)
    assert list(roc.to_frame().columns) == ["false_positive_rate", "recall", "threshold"]


def test_one_class_has_no_curve(predictions: Predictions) -> None:
    benign = Predictions(predictions.frame[predictions.frame["label"] == "benign"])
    assert roc_curve(benign) is None
    assert precision_recall_curve(benign) is None


@pytest.mark.parametrize("task", ["binary", "subtype"])
def test_confusion_matrix_is_that_of_the_metrics(predictions: Predictions, metrics: Metrics, task: str) -> None:
    matrix = confusion_matrix(predictions, task, decisions=decide(predictions))  # type: ignore[arg-type]
    assert matrix.counts.tolist() == metrics.document[task]["folds"]["image"]["confusion_matrix"]["counts"]
    assert list(matrix.to_frame().columns) == list(matrix.labels)


def test_reliability_gives_the_ece(predictions: Predictions, metrics: Metrics) -> None:
    bins = reliability(predictions, decisions=decide(predictions))
    gaps = np.abs(np.nan_to_num(bins.malignant) - np.nan_to_num(bins.probability))
    assert np.average(gaps, weights=bins.n) == pytest.approx(metrics.value("binary", "ece"))
    filled = bins.n > 0
    assert ((bins.probability >= bins.low) & (bins.probability <= bins.high))[filled].all()
    assert len(bins.to_frame()) == 15


@pytest.mark.parametrize("task", ["binary", "subtype"])
def test_worst_errors_are_wrong_confident_and_varied(predictions: Predictions, task: str) -> None:
    errors = worst_errors(predictions, 12, task=task)  # type: ignore[arg-type]
    assert 0 < len(errors) <= 12
    assert (errors["true"] != errors["predicted"]).all()
    assert errors["confidence"].is_monotonic_decreasing
    assert errors["case_id"].value_counts().max() <= 2
    first = predictions.frame.set_index("image_id").loc[errors["image_id"][0]]
    assert first[f"prob_{errors['predicted'][0]}" if task == "subtype" else "prob_malignant"] in (
        pytest.approx(errors["confidence"][0]),
        pytest.approx(1 - errors["confidence"][0]),
    )


def test_the_single_worst_error_is_the_most_confident(predictions: Predictions) -> None:
    frame = predictions.frame
    wrong = frame[frame["label"] != frame["pred_label"]]
    distance = (wrong["prob_malignant"] - 0.5).abs().to_numpy()
    assert worst_errors(predictions, 1)["image_id"].tolist() == [wrong["image_id"].tolist()[distance.argmax()]]


def test_no_predictions_have_no_errors(predictions: Predictions) -> None:
    assert len(worst_errors(predictions, 5, protocol="holdout")) == 0
    assert len(worst_errors(predictions, 5, protocol="holdout", task="subtype")) == 0
    assert confusion_matrix(predictions, "binary", protocol="holdout").counts.sum() == 0
