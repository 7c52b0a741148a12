from __future__ import annotations

import pytest

from lobule.evaluation.binary import BINARY_METRICS
from lobule.evaluation.metrics import Metrics, evaluate
from lobule.evaluation.predictions import Predictions
from lobule.evaluation.subtype import SUBTYPE_METRICS
from lobule.evaluation.summary import strata, summary


@pytest.fixture(scope="module")
def metrics(predictions: Predictions) -> Metrics:
    return evaluate(predictions, bootstrap=50)


def test_summary_has_every_metric_once(metrics: Metrics) -> None:
    rows = summary(metrics)
    assert [row.name for row in rows] == [*BINARY_METRICS * 2, *SUBTYPE_METRICS * 2]
    assert {(row.protocol, row.stratum) for row in rows} == {("folds", "")}
    recall = next(row for row in rows if (row.level, row.name) == ("case", "recall"))
    block = metrics.document["binary"]["folds"]["case"]["recall"]
    assert {key: getattr(recall, key) for key in block} == block


def test_strata_have_their_own_rows(metrics: Metrics) -> None:
    rows = {(row.task, row.level, row.stratum, row.name): row for row in strata(metrics)}
    assert len(rows) == 2 * (4 * 13 + 8 * 3) + 2 * (4 * 4 + 8 * 3)
    assert rows["binary", "image", "subtype adenosis", "accuracy"].n_cases == 6
    assert rows["binary", "image", "magnification 400", "auroc"].value is not None
    found = rows["subtype", "image", "subtype adenosis", "recall"]
    block = metrics.document["subtype"]["folds"]["image"]["per_class"]["adenosis"]
    assert (found.value, found.low) == (block["recall"], block["intervals"]["recall"]["low"])


def test_a_task_that_is_null_has_no_rows(predictions: Predictions) -> None:
    binary_only = evaluate(Predictions(predictions.frame.assign(subtype="")), bootstrap=0)
    assert {row.task for row in summary(binary_only)} == {"binary"}
