from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lobule.report.blocks import Paragraph, Section
from lobule.report.inputs import ReportInputs
from lobule.report.sections.thresholds import fitted_table, part_name, range_text, threshold_of, threshold_section
from tests.report.sections.texts import texts


def words(section: Section | None) -> str:
    assert section is not None
    return " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))


def test_rule_shipped_and_cross_fitted_values_are_stated(full_inputs: ReportInputs) -> None:
    text = words(threshold_section(full_inputs))
    assert text.startswith("Rule: largest balanced accuracy on out-of-fold predictions. An image is called malignant")
    assert "from a probability of 0.612 on, a case from 0.655 on. This is what is shipped." in text
    assert "chosen on the other folds (0.58 to 0.64 for images and 0.60 to 0.70 for cases)" in text


def test_values_of_a_run_that_was_scored_again_are_not_called_shipped(full_inputs: ReportInputs) -> None:
    rescored = replace(full_inputs, rescored=True)
    section = threshold_section(rescored)
    text = words(section)
    assert "This is what a model decided by this rule would use." in text
    assert "the run's own bundle keeps the values that it was shipped with" in text
    assert "This is what is shipped" not in text
    assert section is not None
    assert "Shipped" not in str(section.blocks)
    elsewhere = replace(rescored, split=None)
    assert "This is what a model decided by this rule would use." in words(threshold_section(elsewhere))
    assert "bundle" not in words(threshold_section(elsewhere))


def test_holdout_is_explained_only_where_it_has_a_column(inputs: ReportInputs) -> None:
    assert "Holdout: fitted on" in str(threshold_section(inputs))
    document = inputs.metrics.document
    without = {key: value for key, value in document["binary"].items() if key != "holdout"}
    metrics = type(inputs.metrics)({**document, "binary": without})
    assert "Holdout" not in str(threshold_section(replace(inputs, metrics=metrics)))


def test_given_threshold_is_not_called_chosen(foreign: ReportInputs) -> None:
    text = words(threshold_section(foreign))
    assert text == (
        "An image is called malignant from a probability of 0.500 on; so is a case. This threshold was given, not"
        " chosen on these predictions."
    )
    assert fitted_table(foreign.metrics.document) is None


def test_table_has_a_column_for_every_fold_and_the_holdout(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    table = fitted_table(document)
    assert table is not None
    assert [column.title for column in table.columns] == ["Shipped", *(f"Fold {k}" for k in range(1, 6)), "Holdout"]
    fitted = document["binary"]["threshold"]
    values = [fitted["value"], *fitted["cross_fitted"]["image"]]
    assert texts(table)["Threshold, images"] == [f"{value:.3f}" for value in values]
    assert list(texts(table))[-1] == "Temperature, subtypes"


def test_metrics_that_do_not_tell_have_no_section(inputs: ReportInputs) -> None:
    document: dict[str, Any] = {"schema_version": 1, "binary": None, "subtype": None, "controls": {}}
    assert threshold_of(document) is None
    assert threshold_section(replace(inputs, metrics=type(inputs.metrics)(document))) is None


def test_ranges_are_written_once_where_they_agree() -> None:
    assert range_text([0.5, 0.52]) == "0.50 to 0.52"
    assert range_text([0.501, 0.502]) == "0.50"
    assert range_text(None) == "–"


def test_groups_that_were_drawn_are_not_called_folds(inputs: ReportInputs) -> None:
    assert part_name(inputs) == "fold"
    frame = inputs.predictions.frame
    for fold in (None, np.arange(len(frame)) % 2):
        drawn = replace(inputs, predictions=type(inputs.predictions)(frame.assign(fold=fold)))
        assert part_name(drawn) == "group"
        text = str(threshold_section(drawn))
        assert "each group's labels come from a threshold chosen on the other groups" in text
        assert "Group k: fitted on the other groups" in text
        assert "Fold 1" not in text
