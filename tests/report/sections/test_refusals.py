from __future__ import annotations

from lobule.report.blocks import Paragraph
from lobule.report.cells import Table
from lobule.report.inputs import ReportInputs
from lobule.report.sections.refusals import refusal_section
from tests.report.sections.texts import texts


def test_refusals_are_counted_with_their_reasons(full_inputs: ReportInputs) -> None:
    section = refusal_section(full_inputs)
    assert section is not None
    paragraph, table = section.blocks
    assert isinstance(paragraph, Paragraph)
    assert isinstance(table, Table)
    assert "6 images of 400 were refused: 1.6\u00a0% (95\u00a0% interval 0.4\u00a0%–3.0\u00a0%)" in paragraph.text
    assert texts(table) == {"Blurred": ["4"], "Unlike the training images": ["2"]}


def test_without_novelty_there_is_no_section(inputs: ReportInputs) -> None:
    assert refusal_section(inputs) is None
