from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lobule.config import DecisionSettings
from lobule.evaluation.decision.decide import decide, decided
from lobule.evaluation.intervals import clopper_pearson
from lobule.evaluation.metrics import evaluate
from lobule.evaluation.predictions import Predictions
from tests.evaluation.conftest import make_predictions
from tests.evaluation.decision.test_decide import by_case


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    return by_case()


@pytest.fixture(scope="module")
def document(predictions: Predictions) -> dict[str, Any]:
    return evaluate(predictions, bootstrap=200).document


def test_coverage_and_size_are_those_of_the_written_sets(predictions: Predictions, document: dict[str, Any]) -> None:
    frame = decided(predictions, decide(predictions)).frame
    held = [label in found.split("|") for label, found in zip(frame["label"], frame["label_set"], strict=True)]
    size = frame["label_set"].str.split("|").map(lambda labels: sum(bool(label) for label in labels))
    block = document["binary"]["folds"]["image"]["conformal"]
    for part in ("benign", "malignant", "all"):
        own = (frame["label"] == part).to_numpy() if part != "all" else np.ones(len(frame), bool)
        assert block["coverage"][part]["value"] == pytest.approx(np.array(held)[own].mean())
        assert block["set_size"][part]["value"] == pytest.approx(size[own].mean())
    shares = block["shares"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["both"] == pytest.approx((size == 2).mean())
    assert (block["alpha"], block["without_set"]) == (0.1, 0)
    assert block["attainable"] == {"benign": True, "malignant": True}


def test_coverage_of_cases_has_an_exact_interval(document: dict[str, Any]) -> None:
    measure = document["binary"]["folds"]["case"]["conformal"]["coverage"]["benign"]
    successes = round(measure["value"] * measure["n_cases"])
    assert (measure["low"], measure["high"]) == pytest.approx(clopper_pearson(successes, measure["n_cases"]))


def test_few_cases_have_no_sets() -> None:
    few = evaluate(make_predictions(images=60, cases=16), bootstrap=0).document["binary"]["folds"]["image"]["conformal"]
    assert few["attainable"] == {"benign": False, "malignant": False}
    assert few["coverage"]["all"]["value"] is None
    assert few["shares"] == {"benign": None, "malignant": None, "both": None, "none": None}
    assert few["without_set"] == 60


def test_a_larger_alpha_gives_smaller_sets(predictions: Predictions) -> None:
    sizes = [
        evaluate(predictions, decision=DecisionSettings(alpha=alpha), bootstrap=0).document["binary"]["folds"]["image"][
            "conformal"
        ]["set_size"]["all"]["value"]
        for alpha in (0.1, 0.2, 0.4)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
