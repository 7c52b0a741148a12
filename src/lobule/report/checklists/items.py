"""What a reporting checklist is made of."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Checklist", "Item"]


@dataclass(frozen=True)
class Item:
    """One thing that a paper must report.

    Attributes:
        number: as in the published checklist, such as "12c".
        section: part of the paper.
        asks: what is asked for, in our own words.
        facts: names of facts (see `facts_of`) that answer it, as far as a run can.
        rest: what the author must add even where the run knows something.
    """

    number: str
    section: str
    asks: str
    facts: tuple[str, ...] = ()
    rest: str = ""


@dataclass(frozen=True)
class Checklist:
    """A published checklist.

    Attributes:
        name: as given to `--checklist`.
        title: name in print.
        size: how its items are counted, in words.
        source: where the binding text stands.
        items: in the published order.
    """

    name: str
    title: str
    size: str
    source: str
    items: tuple[Item, ...]
