from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t
from sklearn import metrics as oracle

from lobule.config import DecisionSettings
from lobule.errors import ConfigError, DataError
from lobule.evaluation.binary import BINARY_METRICS
from lobule.evaluation.compare import Comparison, Contrast, compare, paired_differences
from lobule.evaluation.decision.decide import decide, decided
from lobule.evaluation.intervals import case_multiplicities
from lobule.evaluation.metrics import Metrics, evaluate
from lobule.evaluation.predictions import Predictions
from lobule.evaluation.subtype import SUBTYPE_METRICS
from tests.evaluation.conftest import make_predictions


def noisier(predictions: Predictions, noise: float = 2.0, seed: int = 5) -> Predictions:
    """Return the predictions of a worse model for the same images."""
    rng = np.random.default_rng(seed)
    frame = predictions.frame.copy()
    frame["logit_malignant"] += rng.normal(0, noise, len(frame))
    frame["prob_malignant"] = 1 / (1 + np.exp(-frame["logit_malignant"]))
    columns = [name for name in frame.columns if name.startswith("logit_") and name != "logit_malignant"]
    logits = frame[columns].to_numpy() + rng.normal(0, noise, (len(frame), 8))
    frame[columns] = logits
    powers = np.exp(logits)
    frame[[name.replace("logit", "prob") for name in columns]] = powers / powers.sum(axis=1, keepdims=True)
    return Predictions(frame)


def contrast(comparison: Comparison, task: str, level: str, name: str) -> Contrast:
    return next(row for row in comparison.contrasts if (row.task, row.level, row.name) == (task, level, name))


@pytest.fixture(scope="module")
def better(predictions: Predictions) -> Predictions:
    return predictions


@pytest.fixture(scope="module")
def worse(predictions: Predictions) -> Predictions:
    return noisier(predictions)


@pytest.fixture(scope="module")
def comparison(better: Predictions, worse: Predictions) -> Comparison:
    return compare(better, worse, bootstrap=300)


def test_every_metric_of_both_levels_is_compared_with_the_values_of_evaluate(
    better: Predictions, worse: Predictions, comparison: Comparison
) -> None:
    places = [(row.task, row.level, row.name) for row in comparison.contrasts]
    assert places == [
        (task, level, name)
        for task, names in (("binary", BINARY_METRICS), ("subtype", SUBTYPE_METRICS))
        for level in ("image", "case")
        for name in names
    ]
    own, others = (evaluate(predictions, bootstrap=0) for predictions in (better, worse))
    for row in comparison.contrasts:
        assert row.a == own.value(row.task, row.name, level=row.level)
        assert row.b == others.value(row.task, row.name, level=row.level)
        if row.a is not None and row.b is not None:
            assert row.difference.value == pytest.approx(row.a - row.b, abs=2e-9)


def test_a_loop_over_draws_with_sklearn_gives_the_same_intervals(better: Predictions, worse: Predictions) -> None:
    rows, others = (decided(own, decide(own)).frame.sort_values("image_id", kind="stable") for own in (better, worse))
    case = pd.factorize(rows["case_id"])[0]
    malignant = (rows["label"] == "malignant").to_numpy()
    found: dict[str, list[float]] = {"auroc": [], "balanced_accuracy": [], "brier": [], "case auroc": []}
    # One block, as in the implementation: other blocks are other draws.
    for multiplicity in case_multiplicities(case, malignant, replicates=60, seed=3, block=60):
        for counts in multiplicity.astype(int):
            drawn = np.repeat(np.arange(len(rows)), counts[case])
            copies = np.repeat(np.arange(len(counts)), counts)
            scores = []
            for frame in (rows, others):
                logit, probability = frame["logit_malignant"].to_numpy(), frame["prob_malignant"].to_numpy()
                called = (frame["pred_label"] == "malignant").to_numpy()
                means = np.array([logit[case == number].mean() for number in range(len(counts))])
                of_case = np.array([malignant[case == number][0] for number in range(len(counts))])
                scores.append(
                    {
                        "auroc": oracle.roc_auc_score(malignant[drawn], logit[drawn]),
                        "balanced_accuracy": oracle.balanced_accuracy_score(malignant[drawn], called[drawn]),
                        "brier": oracle.brier_score_loss(malignant[drawn], probability[drawn]),
                        "case auroc": oracle.roc_auc_score(of_case[copies], means[copies]),
                    }
                )
            for name, values in found.items():
                values.append(scores[0][name] - scores[1][name])
    compared = compare(better, worse, bootstrap=60, seed=3)
    for name, values in found.items():
        row = contrast(compared, "binary", "case" if name.startswith("case") else "image", name.removeprefix("case "))
        n = len(set(case)) if name == "brier" else min(len(set(case[malignant])), len(set(case[~malignant])))
        tail = norm.cdf(t.ppf(0.025, n - 1) * np.sqrt(n / (n - 1)))
        assert (row.difference.low, row.difference.high) == pytest.approx(
            np.quantile(values, [tail, 1 - tail]), abs=1e-8
        )


def test_a_clearly_better_model_is_called_so_and_low_is_good_for_errors(comparison: Comparison) -> None:
    for name in ("auroc", "accuracy", "brier", "log_loss"):
        assert contrast(comparison, "binary", "image", name).verdict == "A better"
    assert contrast(comparison, "subtype", "image", "accuracy").verdict == "A better"
    brier = contrast(comparison, "binary", "image", "brier").difference
    assert brier.high is not None
    assert brier.high < 0


def test_turning_the_comparison_round_turns_every_sign(
    better: Predictions, worse: Predictions, comparison: Comparison
) -> None:
    reverse = compare(worse, better, bootstrap=300)
    turned = {"A better": "B better", "B better": "A better"}
    assert reverse.critical_value == comparison.critical_value
    for own, other in zip(comparison.contrasts, reverse.contrasts, strict=True):
        assert other.verdict == turned.get(own.verdict, own.verdict)
        if own.difference.low is not None and own.low is not None:
            assert other.difference.high == pytest.approx(-own.difference.low, abs=1e-9)
            assert other.high == pytest.approx(-own.low, abs=1e-9)


def test_intervals_among_all_are_wider_than_alone_and_their_number_is_told(comparison: Comparison) -> None:
    judged = [row for row in comparison.contrasts if row.low is not None and row.high is not None]
    # Patient recognition rate is not defined by case, and the ECE has no interval; the rest has six cases a class.
    assert comparison.n_comparisons == len(judged) == len(comparison.contrasts) - 3
    assert comparison.critical_value is not None
    assert 2.2 < comparison.critical_value < 4.5
    auroc = contrast(comparison, "binary", "image", "auroc")
    assert auroc.low is not None
    assert auroc.difference.low is not None
    assert auroc.low < auroc.difference.low
    assert contrast(comparison, "binary", "case", "patient_recognition_rate").verdict == "not compared"


def test_a_model_beside_itself_shows_no_difference(better: Predictions) -> None:
    same = compare(better, better, bootstrap=50)
    assert same.identical
    assert {row.verdict for row in same.contrasts} == {"no difference shown", "not compared"}
    assert {row.difference.value for row in same.contrasts} == {0.0, None}


def test_under_five_cases_of_a_class_there_is_no_interval() -> None:
    frame = make_predictions().frame
    benign = sorted(set(frame.loc[frame["label"] == "benign", "case_id"]))[:4]
    few = Predictions(frame[(frame["label"] == "malignant") | frame["case_id"].isin(benign)].reset_index(drop=True))
    found = compare(few, noisier(few), bootstrap=50)
    auroc, recall = (contrast(found, "binary", "image", name) for name in ("auroc", "recall"))
    assert (auroc.difference.low, auroc.low, auroc.verdict) == (None, None, "not compared")
    assert auroc.difference.value is not None
    assert recall.difference.low is not None


def test_neither_the_order_of_rows_nor_the_names_of_cases_matter(
    better: Predictions, worse: Predictions, comparison: Comparison
) -> None:
    renamed = [
        Predictions(own.frame.assign(case_id="x" + own.frame["case_id"]).sample(frac=1, random_state=seed))
        for seed, own in enumerate((better, worse))
    ]
    assert compare(*renamed, bootstrap=300) == comparison


def test_the_comparison_is_a_json_value(comparison: Comparison) -> None:
    document = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert document["names"] == ["A", "B"]
    assert document["n_images"] == {"binary": 240, "subtype": 240}
    assert set(document["contrasts"][0]["difference"]) == {"value", "low", "high", "n_images", "n_cases"}


def test_folders_and_files_are_read(better: Predictions, worse: Predictions, tmp_path: Path) -> None:
    better.write(tmp_path / "run" / "predictions.csv")
    worse.write(tmp_path / "theirs.csv")
    found = compare(tmp_path / "run", str(tmp_path / "theirs.csv"), bootstrap=20, names=("run", "theirs"))
    assert found.names == ("run", "theirs")
    assert found.contrasts == compare(better, worse, bootstrap=20).contrasts


def test_a_run_keeps_its_own_rule_of_the_threshold(better: Predictions, tmp_path: Path) -> None:
    for name in ("usual", "strict"):
        better.write(tmp_path / name / "predictions.csv")
    (tmp_path / "strict" / "config.yaml").write_text("decision: {threshold: 'fixed:0.99'}")
    recall = contrast(compare(tmp_path / "usual", tmp_path / "strict", bootstrap=0), "binary", "image", "recall")
    expected = evaluate(better, decision=DecisionSettings(threshold="fixed:0.99"), bootstrap=0)
    assert recall.b == expected.value("binary", "recall")
    assert recall.a == evaluate(better, bootstrap=0).value("binary", "recall")
    assert recall.a != recall.b


def test_what_cannot_be_compared_is_told_why(better: Predictions, worse: Predictions, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        compare(tmp_path / "nowhere", worse)
    with pytest.raises(DataError, match=r"has no predictions\.csv"):
        compare(tmp_path, worse)
    foreign = Predictions(worse.frame.assign(image_id="other-" + worse.frame["image_id"]))
    with pytest.raises(DataError, match=r"no labelled image is in both.*different data sets"):
        compare(better, foreign)
    elsewhere = Predictions(worse.frame.assign(case_id="one"))
    with pytest.raises(DataError, match="case_id differs for 240 of the 240 images"):
        compare(better, elsewhere)
    with pytest.raises(DataError, match="the first predictions are of protocol folds, the second of holdout"):
        compare(better, Predictions(worse.frame.assign(protocol="holdout")))
    with pytest.raises(ConfigError, match="bootstrap"):
        compare(better, worse, bootstrap=-1)
    with pytest.raises(ConfigError, match="protocol: one of folds, holdout, predict"):
        compare(better, worse, protocol="fold")  # type: ignore[arg-type]


def test_the_difference_from_a_control_fits_into_metrics_json(better: Predictions, worse: Predictions) -> None:
    block = paired_differences(better, worse, bootstrap=40, seed=1)
    assert block is not None
    measured = compare(better, worse, bootstrap=40, seed=1)
    for row in measured.contrasts:
        own = (block[row.task] or {})["folds"][row.level][row.name]
        assert own == asdict(row.difference)
    controls = Metrics(evaluate(worse, bootstrap=0).document).document
    document = {
        **evaluate(better, bootstrap=0).document,
        "controls": {"rival": {**{task: controls[task] for task in ("binary", "subtype")}, "difference": block}},
    }
    assert Metrics(json.loads(json.dumps(document, allow_nan=False))).value("binary", "auroc") is not None


def test_other_labels_have_no_paired_difference_and_other_folds_have_one(better: Predictions) -> None:
    frame = better.frame.copy()
    labels = dict(zip(frame["case_id"], frame["label"], strict=True))
    names = sorted(labels)
    turned = dict(zip(names, [labels[name] for name in names[1:] + names[:1]], strict=True))
    permuted = Predictions(frame.assign(label=frame["case_id"].map(turned), subtype=""))
    assert paired_differences(better, permuted, bootstrap=10) is None
    refolded = Predictions(frame.assign(fold=np.arange(len(frame)) % 5))
    block = paired_differences(better, refolded, bootstrap=10)
    assert block is not None
    assert (block["binary"] or {})["folds"]["image"]["auroc"]["value"] == 0
    assert not compare(better, refolded, bootstrap=0).same_folds


def test_a_task_that_one_of_them_lacks_is_null(better: Predictions) -> None:
    frame = better.frame.copy()
    frame[[name for name in frame.columns if name.startswith("logit_") and name != "logit_malignant"]] = np.nan
    frame[[name for name in frame.columns if name.startswith("prob_") and name != "prob_malignant"]] = np.nan
    block = paired_differences(better, Predictions(frame.assign(pred_subtype="")), bootstrap=10)
    assert block is not None
    assert block["subtype"] is None
    assert block["binary"] is not None
