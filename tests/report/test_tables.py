from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from lobule.data.audit import Imbalance, audit
from lobule.data.split import describe
from lobule.report.inputs import ReportInputs
from lobule.report.numbers import Number
from lobule.report.story import audit_lines, limits
from lobule.report.tables import (
    Table,
    data_table,
    imbalance_table,
    magnification_table,
    metric_cell,
    metrics_table,
    rivals_table,
    split_table,
    subtypes_table,
)


def texts(table: Table) -> dict[str, list[str]]:
    return {row.header.text: [cell.text for cell in row.cells] for row in table.rows}


def test_data_table_adds_up(inputs: ReportInputs) -> None:
    frame = inputs.manifest.frame
    rows = texts(data_table(frame))
    assert rows["All"] == [
        *(str((frame["magnification"] == value).sum()) for value in (40, 100, 200, 400)),
        str(len(frame)),
        "51",
    ]
    assert rows["Phyllodes tumor"][-1] == "2"
    assert int(rows["All benign"][-2]) + int(rows["All malignant"][-2]) == len(frame)


def test_images_without_a_subtype_have_a_row_of_their_own(inputs: ReportInputs) -> None:
    frame = inputs.manifest.frame.copy()
    frame.loc[frame.index[:3], "subtype"] = ""
    label = str(frame["label"].iloc[0])
    assert texts(data_table(frame))[f"{label.capitalize()}, subtype not known"][-2] == "3"


def test_unknown_magnification_has_a_column_only_beside_known_ones(inputs: ReportInputs) -> None:
    frame = inputs.manifest.frame.copy()
    frame.loc[frame.index[0], "magnification"] = pd.NA
    assert data_table(frame).columns[-3].title == "Magnification not known"
    frame["magnification"] = pd.array([pd.NA] * len(frame), dtype="Int64")
    assert [column.title for column in data_table(frame).columns] == ["Images", "Cases"]


def test_split_table_is_the_split(inputs: ReportInputs) -> None:
    parts = describe(inputs.split, inputs.manifest)
    rows = texts(split_table(parts, unit="case"))
    assert rows["Fold 1"][0] == str(len(inputs.split.folds[0]))
    assert rows["Holdout, validation"][0] == str(len(inputs.split.validation))
    assert [column.title for column in split_table(parts, unit="image").columns][:2] == ["Images", "Benign images"]


def test_cells_name_their_counts_only_where_they_differ() -> None:
    number = Number(value=0.8, low=0.7, high=0.9, n_images=30, n_cases=6)
    assert metric_cell(number, usual="30 images, 6 cases").notes == ("0.700–0.900",)
    assert metric_cell(number, usual="50 images, 9 cases").notes == ("0.700–0.900", "30 images, 6 cases")


@pytest.mark.parametrize(("value", "place"), [(0.4, 0), (0.7, 50), (1.0, 100), (0.2, 0)])
def test_bars_stay_on_their_axis(value: float, place: float) -> None:
    bar = metric_cell(Number(value=value, low=0.1, high=1.0), axis=(0.4, 1.0), chance=0.5).bar
    assert bar is not None
    assert bar.value == pytest.approx(place)
    assert bar.low == 0
    assert bar.high == pytest.approx(100)
    assert bar.chance == pytest.approx(100 / 6)


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


def test_rivals_stand_below_the_model_in_a_fixed_order(inputs: ReportInputs) -> None:
    table = rivals_table(inputs.metrics.document, protocol="folds")
    assert table is not None
    assert [row.header.text for row in table.rows] == ["This model", "Plain recipe", "Colour only"]
    assert [row.strong for row in table.rows] == [True, False, False]
    assert all(len(row.cells) == len(table.columns) == 4 for row in table.rows)
    assert rivals_table({**inputs.metrics.document, "controls": {}}, protocol="folds") is None


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


def test_findings_are_counted_and_the_first_ones_quoted(inputs: ReportInputs) -> None:
    frame = inputs.manifest.frame.copy()
    frame.loc[frame.index[1:8], "pixel_sha256"] = frame["pixel_sha256"].iloc[0]
    found = audit(type(inputs.manifest)(frame, inputs.manifest.root))
    lines = dict(audit_lines(replace(found, findings=found.findings * 7)))
    (kind, messages), *_ = lines.items()
    assert kind.startswith("7 × identical pixels")
    assert len(messages) == 6
    assert messages[-1].startswith("and 2 more")


def test_what_could_be_learned_instead_of_tissue(inputs: ReportInputs) -> None:
    assert imbalance_table(inputs.audit) is None
    found = replace(inputs.audit, imbalance=(Imbalance("size", "10x10", 9, 1), Imbalance("size", "20x20", 0, 30)))
    table = imbalance_table(found)
    assert table is not None
    assert texts(table) == {"Size 20x20": ["0", "30", "100\u00a0%"], "Size 10x10": ["9", "1", "10\u00a0%"]}


def test_colour_within_the_models_interval_is_a_limit(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    own = {task: document[task] for task in ("binary", "subtype")}
    metrics = type(inputs.metrics)({**document, "controls": {"colour_only": own}})
    assert any("colour numbers" in limit for limit in limits(replace(inputs, metrics=metrics)))
    assert not any("colour numbers" in limit for limit in limits(inputs))
