from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from lobule.report.blocks import Paragraph
from lobule.report.inputs import ReportInputs
from lobule.report.sections.abstention import (
    abstention_section,
    coverage_table,
    kept_of,
    promise_of,
    risk_table,
    shares_table,
    verdicts_table,
)
from tests.report.blocks_of_metrics import conformal_block, measured, risk_block, with_decisions
from tests.report.sections.texts import texts


def test_enough_cases_promise_alpha() -> None:
    assert promise_of(conformal_block()) == (
        "There are enough calibration cases of both classes to promise an alpha of 0.1."
    )


@pytest.mark.parametrize(("cases", "limit"), [(8, "1/9 = 0.111"), (3, "1/4 = 0.250")])
def test_too_few_cases_promise_nothing(cases: int, limit: str) -> None:
    text = promise_of(conformal_block(attainable=(False, True), calibration_cases=(cases, 30)))
    assert "an alpha below 1/(n + 1) cannot be promised: alpha 0.1 needs 9." in text
    assert f"With {cases} benign cases in the smallest calibration group it cannot be below {limit}." in text
    assert "So no guarantee is claimed, no label sets are shipped, and where there is no set" in text
    assert "malignant case" not in text


def test_both_classes_can_be_too_small() -> None:
    text = promise_of(conformal_block(attainable=(False, False), calibration_cases=(4, 7)))
    assert "With 4 benign cases" in text
    assert "With 7 malignant cases" in text
    assert "shipped" not in promise_of(conformal_block(attainable=(False, False)), shipped=False)


def test_what_was_not_calibrated_is_not_counted() -> None:
    one_class = promise_of(conformal_block(attainable=(True, False), calibration_cases=(12, 0)))
    assert "The smallest calibration group has no malignant case." in one_class
    assert "With 0" not in one_class
    nothing = conformal_block(attainable=(False, False), calibration_cases=(0, 0))
    assert promise_of(nothing) == "No label sets were calibrated here, so the verdict comes from the threshold."


def test_promise_is_compared_with_what_was_found() -> None:
    block: dict[str, Any] = conformal_block()
    assert kept_of(block).startswith(
        "The true label was in the set of 90\u00a0% of 15 benign cases (95\u00a0% interval 70–99\u00a0%; too few cases"
    )
    assert kept_of(block).count("in keeping with the promise") == 1
    block["coverage"]["benign"] = measured(0.9, 0.81, 0.99)
    assert kept_of(block).count("in keeping with the promise") == 2
    block["coverage"]["benign"] = measured(0.5, 0.3, 0.7)
    assert "less than promised" in kept_of(block)
    block["coverage"]["benign"] = measured(0.5)
    assert "no interval, so it cannot be judged" in kept_of(block)


def test_three_of_four_in_twelve_cases_is_no_evidence_for_the_promise() -> None:
    block: dict[str, Any] = conformal_block()
    block["coverage"]["benign"] = measured(0.75, 0.43, 0.95, n_images=60, n_cases=12)
    assert "75\u00a0% of 12 benign cases (95\u00a0% interval 43–95\u00a0%; too few cases to tell" in kept_of(block)


def test_coverage_of_some_is_not_shown_as_that_of_all() -> None:
    assert kept_of(conformal_block(attainable=(False, True))) == ""


def test_verdicts_are_counted_by_true_label() -> None:
    verdicts = {
        "benign": {"benign": 9, "malignant": 1, "uncertain": 5},
        "malignant": {"benign": 2, "malignant": 30, "uncertain": 4},
    }
    known = {**conformal_block(), "verdicts": verdicts, "wrong_verdicts": measured(3 / 42, 0.02, 0.2)}
    table = verdicts_table({"image": conformal_block(), "case": known})
    assert table is not None
    assert texts(table) == {
        "Benign cases": ["9", "1", "5", ""],
        "Malignant cases": ["2", "30", "4", ""],
        "All cases": ["11", "31", "9", "0.071"],
    }
    assert verdicts_table({"case": conformal_block()}) is None


def test_coverage_size_and_shares_stand_in_tables() -> None:
    levels = {"image": conformal_block(), "case": conformal_block()}
    coverage, shares = coverage_table(levels), shares_table(levels)
    assert coverage is not None
    assert shares is not None
    assert texts(coverage)["Benign"] == ["0.900", "1.200", "0.900", "1.200"]
    assert coverage.rows[0].header.notes == ("120 images, 15 cases",)
    assert texts(shares)["Sets of cases"] == ["24\u00a0%", "62\u00a0%", "13\u00a0%", "1\u00a0%"]


def test_without_sets_there_are_no_tables() -> None:
    nothing = {part: dict.fromkeys(("benign", "malignant", "all")) for part in ("coverage", "set_size")}
    block = {**conformal_block(attainable=(False, False)), **nothing, "shares": dict.fromkeys(("benign", "both"))}
    assert coverage_table({"case": block}) is None
    assert shares_table({"case": block}) is None
    assert kept_of(block) == ""


def test_accuracy_by_share_answered() -> None:
    table = risk_table({"image": {"risk_coverage": risk_block()}, "case": {"risk_coverage": None}})
    assert table is not None
    assert [column.title for column in table.columns][:2] == ["100\u00a0%", "90\u00a0%"]
    assert texts(table)["Images"] == [*(f"{n}\u00a0%" for n in (85, 88, 91, 93, 95, 97)), "0.050"]
    assert risk_table({"image": {}}) is None


def test_section_says_that_the_refitted_model_is_approximate(inputs: ReportInputs) -> None:
    inputs = replace(inputs, metrics=with_decisions(inputs.metrics))
    section = abstention_section(inputs)
    assert section is not None
    assert "refitted on all cases, so for it these coverages are approximate" in words(inputs)
    assert "refitted" not in words(replace(inputs, rescored=True))
    assert [block.lead for block in section.blocks if isinstance(block, Paragraph)] == ["Label sets", "Promise", "Kept"]


def words(inputs: ReportInputs) -> str:
    section = abstention_section(inputs)
    assert section is not None
    return " ".join(str(getattr(block, "text", getattr(block, "caption", ""))) for block in section.blocks)


def test_without_sets_for_all_neither_coverage_nor_shipping_is_claimed(inputs: ReportInputs) -> None:
    metrics = with_decisions(inputs.metrics, attainable=(False, True), calibration_cases=(8, 30))
    text = words(replace(inputs, metrics=metrics))
    assert "With 8 benign cases" in text
    assert "no label sets are shipped" in text
    assert "coverage" not in text
    assert "The true label was in the set" not in text
    rescored = words(replace(inputs, metrics=metrics, rescored=True))
    assert "shipped" not in rescored


def test_of_predictions_from_elsewhere_no_fold_and_nothing_shipped_is_named(foreign: ReportInputs) -> None:
    text = words(foreign)
    assert "each group's sets were calibrated on the other groups" in text
    assert not re.search(r"\bfold|shipped|refitted", text)


def test_the_share_is_promised_on_average_and_a_contradiction_is_uncertain(full_inputs: ReportInputs) -> None:
    text = words(full_inputs)
    assert "about 90\u00a0% should have their true label in the set, on average over calibrations" in text
    assert "one that contradicts the threshold make it “uncertain”" in text
    assert "at least 90" not in text


def test_metrics_without_label_sets_have_no_section(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    bare = {
        level: {k: v for k, v in document["binary"]["folds"][level].items() if k not in ("conformal", "risk_coverage")}
        for level in ("image", "case")
    }
    metrics = type(inputs.metrics)({**document, "binary": {"folds": bare}})
    assert abstention_section(replace(inputs, metrics=metrics)) is None
