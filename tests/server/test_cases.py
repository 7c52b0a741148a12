from __future__ import annotations

import httpx
import pytest

from lobule.evaluation.predictions import Predictions
from lobule.inference.aggregate import answer_cases
from lobule.inference.predictor import Predictor
from lobule.taxonomy import SUBTYPES
from tests.inference.conftest import noise
from tests.server.conftest import BLANK, assert_problem, files_of, png


def test_a_case_is_answered_as_python_answers_it(client: httpx.Client, predictor: Predictor) -> None:
    files = files_of(png(1), BLANK, b"broken", png(2), png(3))
    document = client.post("/v1/cases", files=files, data={"case_id": "14-22549 ä"}).json()
    case = document["case"]
    predictions = predictor.predict([noise(1), noise(2), noise(3)])
    (expected,) = answer_cases(
        Predictions(predictions.frame.assign(case_id="c")), operating=predictor.bundle.record.operating
    )
    assert (case["case_id"], case["n_images"], case["n_refused"]) == ("14-22549 ä", 4, 1)
    assert case["prob_malignant"] == pytest.approx(expected.prob_malignant, abs=1e-6)
    assert list(case["prob_subtype"]) == list(SUBTYPES)
    assert list(case["prob_subtype"].values()) == pytest.approx(expected.prob_subtype.tolist(), abs=1e-6)
    said = (case["label"], case["verdict"], case["reason"], case["subtype"], "|".join(case["label_set"]))
    assert said == (
        expected.pred_label,
        expected.verdict,
        expected.reason,
        expected.pred_subtype,
        expected.label_set,
    )
    assert [item["status"] for item in document["predictions"]] == ["ok", "ok", "error", "ok", "ok"]
    alone = client.post("/v1/predictions", files=files).json()
    assert document["predictions"] == alone["predictions"]


def test_a_case_of_refused_images_is_not_assessable(client: httpx.Client) -> None:
    case = client.post("/v1/cases", files=files_of(BLANK), data={"case_id": "x"}).json()["case"]
    assert (case["verdict"], case["prob_malignant"], case["label"], case["subtype"]) == (
        "not assessable",
        None,
        None,
        None,
    )
    assert "not assessable" in case["reason"]


@pytest.mark.parametrize("case_id", ["", "   ", "a" * 101, "line\nbreak", "\x00", "x" * 2000])
def test_a_case_needs_a_printable_name(client: httpx.Client, case_id: str) -> None:
    assert_problem(client.post("/v1/cases", files=files_of(png()), data={"case_id": case_id}), 422, "invalid_field")


def test_what_is_missing_or_twice_is_named(client: httpx.Client) -> None:
    assert_problem(client.post("/v1/cases", files=files_of(png())), 422, "invalid_field")
    only_text = [("case_id", (None, b"x"))]
    assert_problem(client.post("/v1/cases", files=only_text), 422, "missing_field")
    twice = [*only_text, *only_text, *files_of(png())]
    assert_problem(client.post("/v1/cases", files=twice), 422, "unexpected_field")
    not_text = [("case_id", (None, b"\xff\xfe")), *files_of(png())]
    assert_problem(client.post("/v1/cases", files=not_text), 422, "invalid_field")
    assert_problem(client.post("/v1/cases", files=files_of(b"x"), data={"case_id": "x"}), 422, "no_usable_image")
