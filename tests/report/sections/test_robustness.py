from __future__ import annotations

from dataclasses import replace

from lobule.report.blocks import Paragraph
from lobule.report.inputs import ReportInputs
from lobule.report.sections.robustness import robustness_section, robustness_table, unseen_table
from tests.report.blocks_of_metrics import disturbed
from tests.report.sections.texts import texts


def test_disturbed_images_and_unseen_magnifications_have_tables_of_their_own() -> None:
    frame = disturbed()
    table, unseen = robustness_table(frame), unseen_table(frame)
    assert table is not None
    assert unseen is not None
    assert texts(table)["JPEG quality 25"] == ["0.832", "12\u00a0%", "100 images, 40 cases"]
    assert "Half resolution" in texts(table)
    assert texts(unseen) == {name: ["0.800", "100 images, 40 cases"] for name in ("40X", "100X")}
    assert robustness_table(frame[frame["condition"].str.startswith("without")]) is None


def test_numbers_that_could_not_be_had_are_dashes() -> None:
    frame = disturbed().head(1).assign(auroc=float("nan"), low=None, high=None, verdict_changes=None)
    table = robustness_table(frame)
    assert table is not None
    assert texts(table)["JPEG quality 95"][:2] == ["–", "–"]


def test_a_run_that_did_not_measure_it_says_how_to(inputs: ReportInputs, foreign: ReportInputs) -> None:
    section = robustness_section(inputs)
    assert section is not None
    (paragraph,) = section.blocks
    assert isinstance(paragraph, Paragraph)
    assert "`--set robustness.images=100`" in paragraph.text
    assert robustness_section(foreign) is None
    measured = robustness_section(replace(foreign, robustness=disturbed()))
    assert measured is not None
    assert [block.kind for block in measured.blocks] == ["paragraph", "plots", "table", "table", "footnote"]
