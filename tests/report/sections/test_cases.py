from __future__ import annotations

from lobule.report.inputs import ReportInputs
from lobule.report.sections.cases import case_rules_table, case_section
from tests.report.sections.texts import texts


def test_the_rule_in_use_stands_out_among_its_alternatives(inputs: ReportInputs) -> None:
    rules = inputs.metrics.document["binary"]["folds"]["case_rules"]
    table = case_rules_table(rules)
    assert table is not None
    assert [row.strong for row in table.rows] == [True, False, False, False, False]
    assert texts(table)["Majority vote"][0] == f"{rules['majority_vote']['auroc']['value']:.3f}"
    assert texts(table)["Mean log-odds"][-1] == f"{len(inputs.images)} images, 51 cases"
    assert case_section(inputs) is not None


def test_missing_rules_are_left_out() -> None:
    rule = {"auroc": {"value": 0.9, "low": None, "high": None, "n_images": 9, "n_cases": 3}}
    table = case_rules_table({"mean_probability": rule, "majority_vote": None})
    assert table is not None
    assert texts(table) == {"Mean probability": ["0.900", "–", "9 images, 3 cases"]}
    assert case_rules_table({}) is None
