from __future__ import annotations

from typing import Any

import pytest

from lobule.report.inputs import ReportInputs
from lobule.report.sections.rivals import CONTROL_NAMES, rivals_table, what_rivals_tell
from tests.report.blocks_of_metrics import with_gain


def test_rivals_stand_below_the_model_in_a_fixed_order(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    block = document["controls"]["colour_only"]
    shuffled = ("image_split", "permuted_labels", "colour_only", "majority", "plain_recipe", "another_tool")
    table = rivals_table({**document, "controls": dict.fromkeys(shuffled, block)}, protocol="folds")
    assert table is not None
    names = [title for title, _ in CONTROL_NAMES.values()]
    assert [row.header.text for row in table.rows] == ["This model", *names, "Another tool"]
    assert names == ["Majority", "Colour only", "Plain recipe", "Price of cheating", "Shuffled labels"]
    assert [row.strong for row in table.rows] == [True, *[False] * 6]
    assert all(len(row.cells) == len(table.columns) == 4 for row in table.rows)


def test_without_controls_there_is_no_table(inputs: ReportInputs) -> None:
    for controls in ({}, {"colour_only": None}):
        document: dict[str, Any] = {**inputs.metrics.document, "controls": controls}
        assert rivals_table(document, protocol="folds") is None


def test_paired_difference_is_the_second_column(inputs: ReportInputs) -> None:
    document = with_gain(inputs.metrics, (-0.031, -0.06, 0.001)).document
    table = rivals_table(document, protocol="folds")
    assert table is not None
    assert [column.title for column in table.columns][:3] == ["AUROC", "Model minus rival", "AUROC"]
    own, *rivals = [row.cells[1] for row in table.rows]
    assert own.text == ""
    assert {(cell.text, cell.notes) for cell in rivals} == {("−0.031", ("−0.060 to 0.001",))}


def test_price_of_cheating_and_shuffled_labels_are_put_into_words(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    block = document["controls"]["colour_only"]
    named = {**document, "controls": {"image_split": block, "permuted_labels": block}}
    told = what_rivals_tell(with_gain(type(inputs.metrics)(named), (-0.06, -0.1, -0.02)).document, protocol="folds")
    assert "a difference of +0.060 (95\u00a0% interval 0.020 to 0.100) that no new case would see" in told
    assert "so look for a leak" in told
    assert what_rivals_tell(document, protocol="folds") == ""


@pytest.mark.parametrize(("value", "verdict"), [(0.6, "nothing is seen to leak"), (0.7, "look for a leak")])
def test_shuffled_labels_are_read_by_what_chance_gives_on_so_few_cases(value: float, verdict: str) -> None:
    def measure(value: float, cases: int) -> dict[str, float | int | None]:
        return {"value": value, "low": 0.55, "high": None, "n_images": 90, "n_cases": cases}

    level = {"auroc": measure(value, 51), "recall": measure(0.5, 39), "specificity": measure(0.5, 12)}
    told = what_rivals_tell(
        {"controls": {"permuted_labels": {"binary": {"folds": {"image": level}}}}}, protocol="folds"
    )
    assert f"same model reaches {value:.3f}; one shuffle" in told
    assert "one shuffle of 12 benign and 39 malignant cases lies within about ±0.19 of 0.5" in told
    assert verdict in told


def test_without_counts_shuffled_labels_are_only_stated() -> None:
    auroc = {"value": 0.48, "low": 0.4, "high": 0.56, "n_images": 9, "n_cases": 3}
    control = {"binary": {"folds": {"image": {"auroc": auroc}}}}
    told = what_rivals_tell({"controls": {"permuted_labels": control}}, protocol="folds")
    assert told == "On labels shuffled between cases the same model reaches 0.480."
    told = what_rivals_tell({"controls": {"image_split": control}}, protocol="folds")
    assert told.endswith("an AUROC of 0.480 [0.400–0.560]; that is the price of cheating.")
