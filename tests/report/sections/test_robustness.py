from __future__ import annotations

from dataclasses import replace

from lobule.report.blocks import Paragraph
from lobule.report.inputs import ReportInputs
from lobule.report.sections.robustness import left_out_table, robustness_section, robustness_table
from tests.report.blocks_of_metrics import changed
from tests.report.sections.texts import texts


def test_changed_images_and_unseen_magnifications_have_tables_of_their_own() -> None:
    table, left_out = robustness_table(changed()), left_out_table(changed())
    assert table is not None
    assert left_out is not None
    assert texts(table)["JPEG quality 10"] == ["0.811", "16\u00a0%", "100 images, 40 cases"]
    assert texts(table)["Unchanged"] == ["0.910", "–", "100 images, 40 cases"]
    assert [row.strong for row in table.rows].count(True) == 1
    assert texts(left_out) == {"40X": ["0.900", "0.800", "20\u00a0%"], "100X": ["0.880", "0.870", "5\u00a0%"]}
    assert left_out_table(changed().head(3)) is None


def test_numbers_that_could_not_be_had_are_dashes() -> None:
    frame = changed().iloc[1:2].assign(auroc=float("nan"), low=None, high=None, verdict_changes=None)
    table = robustness_table(frame)
    assert table is not None
    assert texts(table)["JPEG quality 90"][:2] == ["–", "–"]


def test_a_run_that_did_not_measure_it_says_how_to(inputs: ReportInputs, foreign: ReportInputs) -> None:
    section = robustness_section(inputs)
    assert section is not None
    (paragraph,) = section.blocks
    assert isinstance(paragraph, Paragraph)
    assert "`--set robustness.images=100`" in paragraph.text
    assert robustness_section(foreign) is None
    measured = robustness_section(replace(foreign, robustness=changed()))
    assert measured is not None
    (first, *_) = measured.blocks
    assert isinstance(first, Paragraph)
    assert "would be refused as not assessable is not judged here" in first.text
    assert "Measured by the run itself" not in first.text
    assert [block.kind for block in measured.blocks] == ["paragraph", "plots", "table", "table", "footnote"]


def words(inputs: ReportInputs) -> list[str]:
    section = robustness_section(inputs)
    assert section is not None
    return [str(getattr(block, "text", block.kind)) for block in section.blocks]


def test_few_images_are_warned_of_above_the_plot(inputs: ReportInputs) -> None:
    few = words(replace(inputs, robustness=changed().assign(n_images=20)))
    assert few[1].startswith("Only 20 images tried: one image more or less is 5\u00a0% of them")
    assert few[2] == "plots"
    assert words(replace(inputs, robustness=changed()))[1] == "plots"


def test_at_chance_close_numbers_mean_nothing(inputs: ReportInputs) -> None:
    frame = changed()
    own = frame["condition"] == "all_magnifications"
    assert words(replace(inputs, robustness=frame))[-1].endswith(
        "Close numbers mean that what was learned carries over."
    )
    one = words(replace(inputs, robustness=frame.assign(low=frame["low"].mask(own & (frame["amount"] == 40), 0.45))))[
        -1
    ]
    assert one.endswith("For 40X the AUROC of the former is near chance (0.5), so that close numbers say nothing.")
    every = words(replace(inputs, robustness=frame.assign(auroc=frame["auroc"].mask(own, 0.52))))[-1]
    assert "carries over" not in every
    assert "For all of them the AUROC of the former is near chance" in every


def test_a_run_that_is_scored_again_did_not_change_images_again(inputs: ReportInputs) -> None:
    text = words(replace(inputs, robustness=changed(), rescored=True))[0]
    assert "Measured by the run itself, with its own temperatures, thresholds and label sets." in text
