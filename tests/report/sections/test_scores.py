from __future__ import annotations

from dataclasses import replace

from lobule.report.inputs import ReportInputs
from lobule.report.sections.scores import (
    magnification_table,
    metrics_table,
    score_section,
    strata_section,
    subtypes_table,
)
from tests.report.sections.texts import texts


def test_metrics_table_has_a_column_for_each_protocol_and_level(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    table = metrics_table(document, "binary", caption="")
    assert table is not None
    assert [column.title for column in table.columns] == [
        *("Out of fold, per image", "Out of fold, per case", "Holdout, per image", "Holdout, per case")
    ]
    expected = document["binary"]["folds"]["case"]["mcc"]["value"]
    assert texts(table)["Matthews correlation"][1] == f"{expected:.3f}"
    assert len(table.rows) == 13
    assert metrics_table({"binary": None}, "binary", caption="") is None


def test_strata_are_those_of_the_metrics(inputs: ReportInputs) -> None:
    level = inputs.metrics.document["binary"]["folds"]["image"]
    table = magnification_table(level, "binary", caption="")
    assert table is not None
    assert list(texts(table)) == ["40X", "100X", "200X", "400X"]
    assert magnification_table({"by_magnification": {"unknown": level}}, "binary", caption="") is None
    subtypes = subtypes_table(level, inputs.metrics.document["subtype"]["folds"]["image"], caption="")
    assert subtypes is not None
    assert len(subtypes.rows) == 8
    assert subtypes.rows[2].cells[0].why.startswith("no interval: fewer than 5 cases")


def test_sections_without_numbers_are_left_out(inputs: ReportInputs) -> None:
    empty = type(inputs.metrics)({"schema_version": 1, "binary": None, "subtype": None, "controls": {}})
    assert score_section(replace(inputs, metrics=empty), "binary") is None
    assert strata_section(replace(inputs, metrics=empty)) is None
    section = score_section(inputs, "subtype")
    assert section is not None
    assert (section.anchor, section.name, section.heading) == ("subtype", "Subtypes", "The eight subtypes")
