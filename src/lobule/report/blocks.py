"""What sections of the page are made of, beside tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Union

if TYPE_CHECKING:
    from lobule.report.cells import Table

__all__ = ["Block", "Footnote", "Heading", "Listing", "Paragraph", "Plots", "Section"]


@dataclass(frozen=True)
class Paragraph:
    """Plain text, after a few words in bold that name what it is about."""

    kind: ClassVar[str] = "paragraph"
    text: str
    lead: str = ""


@dataclass(frozen=True)
class Footnote:
    """Small print under a table."""

    kind: ClassVar[str] = "footnote"
    text: str


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Listing:
    """Points, each with its own finer points."""

    kind: ClassVar[str] = "listing"
    points: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Plots:
    """The place of all figures that belong to a part of the page."""

    kind: ClassVar[str] = "plots"
    section: str


Block = Union[Paragraph, Footnote, Heading, Listing, Plots, "Table"]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        anchor: its address on the page.
        name: its name in the contents.
        heading: its heading.
        blocks: what stands in it, in order.
    """

    anchor: str
    name: str
    heading: str
    blocks: tuple[Block, ...]
