"""Images of a case, judged together; the table, its order and its filters."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from lobule.inference.aggregate import CaseAnswer, answer_cases
from lobule.inference.predictor import Predictor
from lobule.taxonomy import SUBTYPES
from tests.server.page.browser import Visit


def _answers(predictor: Predictor, images: list[Path]) -> dict[str, CaseAnswer]:
    answers = answer_cases(predictor.predict(images), operating=predictor.bundle.record.operating)
    return {answer.case_id: answer for answer in answers}


def test_cases_in_file_names_get_the_answers_of_the_library(
    visit: Visit, few: list[Path], predictor: Predictor
) -> None:
    visit.choose(*few)
    visit.settled()
    visit.page.get_by_label("Cases").select_option("Case in file name")
    expected = _answers(predictor, few)
    assert len(expected) == 3
    for case_id, answer in expected.items():
        head = visit.page.locator("header.case", has=visit.page.get_by_role("heading", name=f"Case {case_id}"))
        expect(head.locator(".verdict")).to_have_text(answer.verdict.capitalize())
        expect(head).to_contain_text(f"{answer.n_images - answer.n_refused} images counted")
    said = {case["case_id"]: case for case in visit.downloaded()["cases"]}
    assert said.keys() == expected.keys()
    for case_id, answer in expected.items():
        assert said[case_id]["prob_malignant"] == pytest.approx(answer.prob_malignant, abs=1e-6)
        numbers = [said[case_id]["prob_subtype"][name] for name in SUBTYPES]
        np.testing.assert_allclose(numbers, answer.prob_subtype, atol=1e-6)
    rows = list(csv.DictReader(io.StringIO(visit.download("Cases as CSV"))))
    assert {row["case_id"]: row["verdict"] for row in rows} == {name: each.verdict for name, each in expected.items()}


def test_images_are_put_into_a_case_by_hand_and_taken_out_again(
    visit: Visit, few: list[Path], predictor: Predictor
) -> None:
    page, chosen = visit.page, [few[0], few[2], few[4]]
    visit.choose(*few)
    visit.settled()
    for path in chosen:
        page.get_by_role("checkbox", name=f"Select {path.name}").check()
    page.get_by_role("button", name="Put into a case…").click()
    page.get_by_label("Name of the case").fill("Mrs. Example")
    page.get_by_role("button", name="Group", exact=True).click()
    head = page.locator("header.case", has_text="Mrs. Example")
    expect(head).to_contain_text("3 images")
    expect(head.locator(".verdict")).to_be_visible()
    frame = predictor.predict(chosen).frame
    counted = frame[frame["verdict"] != "not assessable"]
    operating = predictor.bundle.record.operating
    logit = counted["logit_malignant"].mean() / operating.case.temperature
    (case,) = visit.downloaded()["cases"]
    assert case["prob_malignant"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)
    expect(page.get_by_role("heading", name="Without a case")).to_be_visible()

    page.get_by_role("checkbox", name=f"Select {few[0].name}").check()
    page.get_by_role("button", name="Take out of its case").click()
    expect(head).to_contain_text("2 images counted")


def test_a_case_that_is_too_large_for_a_request_says_so(visit: Visit, few: list[Path]) -> None:
    visit.page.evaluate(
        """async () => {
          const { CaseAnswers } = await import("./page/js/case_answers.js");
          const cases = new CaseAnswers(new EventTarget());
          cases.limits = { max_files: 1, max_request_bytes: 2 ** 20 };
          const item = (id) => ({ id, state: "done", byHand: "A", file: { size: 10 } });
          cases.update([item(1), item(2)], "hand");
          document.title = `${cases.of("A").state}: ${cases.of("A").note}`;
        }"""
    )
    assert visit.page.title() == "failed: 2 images, 1 KiB: this server answers for at most 1 image and 1 MiB together."


def test_the_table_is_sorted_by_its_headings(visit: Visit, few: list[Path], predictor: Predictor) -> None:
    page = visit.page
    visit.choose(*few)
    visit.settled()
    page.get_by_role("button", name="Table").click()
    frame = predictor.predict(few).frame
    by_probability = frame.sort_values("prob_malignant", ascending=False, kind="stable")
    wanted = [Path(path).name for path in by_probability["path"]]
    heading = page.get_by_role("columnheader", name="P(malignant)")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(page.locator("table.images tbody th button")).to_have_text(wanted)
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("table.images tbody th button")).to_have_text(wanted[::-1])
    page.get_by_role("button", name=wanted[0]).click()
    expect(page.locator("dialog[open] #viewer-title")).to_have_text(wanted[0])


def test_a_filter_shows_one_verdict_alone(visit: Visit, few: list[Path], photograph: Path) -> None:
    page = visit.page
    visit.choose(*few[:2], photograph)
    visit.settled()
    chip = page.get_by_role("button", name=re.compile("^Not assessable"))
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    refused = page.locator('.card[data-kind="not assessable"]')
    expect(page.locator(".card")).to_have_count(refused.count())
    expect(visit.card(photograph.name)).to_be_visible()
    page.get_by_role("button", name=re.compile("^All")).click()
    expect(page.locator(".card")).to_have_count(3)
