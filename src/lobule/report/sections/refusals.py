"""When it says not assessable: how many of the data set's own images are refused, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobule.report.blocks import Block, Paragraph, Section
from lobule.report.cells import Cell, Column, Row, Table
from lobule.report.numbers import Number, count, headline_protocol, number_of, numbers_in

if TYPE_CHECKING:
    from lobule.report.inputs import ReportInputs

__all__ = ["refusal_section"]


def refusal_section(inputs: ReportInputs) -> Section | None:
    """Return the refusals of held-out images; None where no novelty was computed."""
    document = inputs.metrics.document
    protocol = headline_protocol(document)
    block = numbers_in(document, "binary", protocol or "", "refused")
    rate = number_of(block, "rate")
    if rate.value is None:
        return None
    reasons = {str(name): int(number) for name, number in numbers_in(block, "reasons").items()}
    blocks: list[Block] = [Paragraph(_text(rate, sum(reasons.values())))]
    if reasons:
        most_first = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        rows = tuple(Row(Cell(name.capitalize()), (Cell(f"{number:,}"),)) for name, number in most_first)
        blocks.append(Table("Why they were refused", "Reason", (Column("Images"),), rows))
    return Section("refusals", "Not assessable", "When it says “not assessable”", tuple(blocks))


def _text(rate: Number, refused: int) -> str:
    interval = f" (95\u00a0% interval {_per_cent(rate.low)}–{_per_cent(rate.high)})" if rate.has_interval else ""
    return (
        "Before it answers, the model asks whether an image is like those it was trained on: not blank, not blurred,"
        " coloured like H&E, with features it knows. What is not gets the verdict “not assessable” and a reason. These"
        f" are all images it should answer, and {count(refused, 'image')} of {rate.n_images:,} were refused:"
        f" {_per_cent(rate.value)}{interval}, each judged by a model that had seen no image of its case. Refused images"
        " are still scored in every other number on this page."
    )


def _per_cent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}\u00a0%"
