from __future__ import annotations

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
    assert f"With {cases} benign cases it cannot be below {limit}." in text
    assert "So no guarantee is claimed" in text
    assert "malignant case" not in text


def test_both_classes_can_be_too_small() -> None:
    text = promise_of(conformal_block(attainable=(False, False), calibration_cases=(4, 7)))
    assert "With 4 benign cases" in text
    assert "With 7 malignant cases" in text


def test_promise_is_compared_with_what_was_found() -> None:
    block: dict[str, Any] = conformal_block()
    assert kept_of(block).startswith(
        "The true label was in the set of 90\u00a0% of 15 benign cases (95\u00a0% interval 70–99\u00a0%; in keeping"
    )
    assert kept_of(block).count("in keeping with the promise") == 2
    block["coverage"]["benign"] = measured(0.5, 0.3, 0.7)
    assert "less than promised" in kept_of(block)
    block["coverage"]["benign"] = measured(0.5)
    assert "too few cases to judge" in kept_of(block)


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
    changed = with_decisions(inputs.metrics, attainable=(False, True), calibration_cases=(8, 30))
    section = abstention_section(replace(inputs, metrics=changed))
    assert section is not None
    words = " ".join(str(getattr(block, "text", "")) for block in section.blocks)
    assert "refitted on all cases, so for it these coverages are approximate" in words
    assert "With 8 benign cases" in words
    assert [block.lead for block in section.blocks if isinstance(block, Paragraph)] == ["Label sets", "Promise", "Kept"]


def test_metrics_without_label_sets_have_no_section(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    bare = {
        level: {k: v for k, v in document["binary"]["folds"][level].items() if k not in ("conformal", "risk_coverage")}
        for level in ("image", "case")
    }
    metrics = type(inputs.metrics)({**document, "binary": {"folds": bare}})
    assert abstention_section(replace(inputs, metrics=metrics)) is None
