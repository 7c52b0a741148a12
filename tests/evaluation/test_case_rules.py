from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lobule.evaluation.case_rules import CASE_RULES, units_by_rule
from lobule.evaluation.decision.decide import decide
from lobule.evaluation.levels import images_of, units_of
from lobule.evaluation.metrics import evaluate
from lobule.evaluation.predictions import Predictions, sigmoid
from tests.evaluation.decision.test_decide import by_case


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    return by_case()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("mean_probability", lambda p: p.mean()),
        ("median_probability", lambda p: p.median()),
        ("largest_probability", lambda p: p.max()),
        ("majority_vote", lambda p: (p >= 0.5).mean()),
    ],
)
def test_scores_are_those_of_a_table(predictions: Predictions, name: str, rule: object) -> None:
    probability = sigmoid(predictions.frame["logit_malignant"].to_numpy())
    frame = predictions.frame.assign(p=probability)
    cases = frame.groupby("case_id").agg(p=("p", rule), label=("label", "first"))
    block = evaluate(predictions, bootstrap=0).document["binary"]["folds"]["case_rules"][name]
    assert block["auroc"]["value"] == pytest.approx(roc_auc_score(cases["label"] == "malignant", cases["p"]))


def test_the_first_rule_is_the_one_that_is_used(predictions: Predictions) -> None:
    document = evaluate(predictions, bootstrap=0).document["binary"]["folds"]
    assert document["case_rules"]["mean_log_odds"]["auroc"]["value"] == document["case"]["auroc"]["value"]
    assert next(iter(CASE_RULES)) == "mean_log_odds"


def test_a_case_is_called_by_a_threshold_of_other_groups(predictions: Predictions) -> None:
    images = images_of(predictions, "binary", "folds", decisions=decide(predictions))
    cases = units_by_rule(images, images.point, "mean_probability")
    own = images.point == images.point[0]
    changed = images.where(np.ones(len(images), bool))
    changed.true[own] = 1 - changed.true[own]
    called = units_by_rule(changed, images.point, "mean_probability")
    of_own = np.isin(np.unique(images.case * 2 + images.true) // 2, images.case[own])
    assert sorted(cases.predicted[of_own].tolist()) == sorted(called.predicted[of_own].tolist())
    assert len(units_of(images, "case")) == len(cases)
