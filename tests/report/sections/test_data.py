from __future__ import annotations

import pandas as pd

from lobule.data.manifest import Manifest
from lobule.data.split import Split, describe
from lobule.report.inputs import ReportInputs
from lobule.report.sections.data import data_section, data_table, split_table
from tests.report.sections.texts import texts


def test_data_table_adds_up(manifest: Manifest) -> None:
    frame = manifest.frame
    rows = texts(data_table(frame))
    assert rows["All"] == [
        *(str((frame["magnification"] == value).sum()) for value in (40, 100, 200, 400)),
        str(len(frame)),
        "51",
    ]
    assert rows["Phyllodes tumor"][-1] == "2"
    assert int(rows["All benign"][-2]) + int(rows["All malignant"][-2]) == len(frame)


def test_images_without_a_subtype_have_a_row_of_their_own(manifest: Manifest) -> None:
    frame = manifest.frame.copy()
    frame.loc[frame.index[:3], "subtype"] = ""
    label = str(frame["label"].iloc[0])
    assert texts(data_table(frame))[f"{label.capitalize()}, subtype not known"][-2] == "3"


def test_unknown_magnification_has_a_column_only_beside_known_ones(manifest: Manifest) -> None:
    frame = manifest.frame.copy()
    frame.loc[frame.index[0], "magnification"] = pd.NA
    assert data_table(frame).columns[-3].title == "Magnification not known"
    frame["magnification"] = pd.array([pd.NA] * len(frame), dtype="Int64")
    assert [column.title for column in data_table(frame).columns] == ["Images", "Cases"]


def test_split_table_is_the_split(division: Split, manifest: Manifest) -> None:
    parts = describe(division, manifest)
    rows = texts(split_table(parts, unit="case"))
    assert rows["Fold 1"][0] == str(len(division.folds[0]))
    assert rows["Holdout, validation"][0] == str(len(division.validation))
    assert [column.title for column in split_table(parts, unit="image").columns][:2] == ["Images", "Benign images"]


def test_of_foreign_predictions_only_the_counts_are_known(foreign: ReportInputs) -> None:
    section = data_section(foreign)
    assert [block.kind for block in section.blocks] == ["table", "plots"]
