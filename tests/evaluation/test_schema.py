from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lobule.errors import DataError
from lobule.evaluation.metrics import evaluate
from lobule.evaluation.schema import check_document
from tests.evaluation.conftest import make_predictions

FOLDS = "binary.folds.image"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    metrics = evaluate(make_predictions(images=60, cases=16), bootstrap=0)
    return metrics.with_controls({"majority": metrics}).document


def change(path: str, value: Any) -> Callable[[Any], None]:
    *parents, last = path.split(".")

    def apply(block: Any) -> None:
        for parent in parents:
            block = block[parent]
        if value is KeyError:
            del block[last]
        else:
            block[last] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema_version", 2, "schema_version 1 is allowed, received 2"),
        ("controls", KeyError, "controls is missing"),
        ("subtype", KeyError, "subtype is missing"),
        (f"{FOLDS}.auroc", KeyError, f"{FOLDS}.auroc is missing"),
        (f"{FOLDS}.auroc.low", KeyError, f"{FOLDS}.auroc.low is missing"),
        (f"{FOLDS}.auroc.value", "0.9", f"{FOLDS}.auroc.value: allowed is a finite number or null"),
        (f"{FOLDS}.auroc.value", float("nan"), "finite"),
        (f"{FOLDS}.auroc.n_cases", None, "whole number"),
        (f"{FOLDS}.auroc.n_cases", -1, "whole number"),
        (f"{FOLDS}.auroc", 0.9, "allowed is an object"),
        (f"{FOLDS}.by_magnification.40.recall.high", True, "by_magnification.40.recall.high"),
        (f"{FOLDS}.by_subtype", KeyError, "by_subtype is missing"),
        (f"{FOLDS}.confusion_matrix.labels", ["a", "b"], "confusion_matrix.labels"),
        (f"{FOLDS}.confusion_matrix.counts", [[1, 2]], "2 rows of 2 counts"),
        ("binary.folds.case", KeyError, "binary.folds.case is missing"),
        ("subtype.folds.image.per_class.adenosis", KeyError, "adenosis is missing"),
        ("subtype.folds.image.per_class.adenosis.recall", "x", "adenosis.recall"),
        ("controls.majority.binary.folds.image.f1", KeyError, "controls.majority.binary.folds.image.f1 is missing"),
    ],
)
def test_a_wrong_document_is_refused(document: dict[str, Any], path: str, value: Any, message: str) -> None:
    wrong = json.loads(json.dumps(document))
    change(path, value)(wrong)
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        check_document(wrong)


def test_later_keys_are_left_alone(document: dict[str, Any]) -> None:
    later = json.loads(json.dumps(document))
    later["binary"]["conformal"] = {"alpha": 0.1}
    later["binary"]["folds"]["image"]["calibration"] = {"before": {}, "after": {}}
    check_document(later)
    with pytest.raises(DataError, match="the document"):
        check_document([])
