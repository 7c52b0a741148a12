"""Reporting checklists, filled with what a run knows; the rest is the author's to write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lobule.errors import ConfigError
from lobule.provenance import write_atomically
from lobule.report.checklists.claim import CLAIM
from lobule.report.checklists.facts import facts_of
from lobule.report.checklists.tripod_ai import TRIPOD_AI

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lobule.report.checklists.items import Checklist, Item
    from lobule.report.inputs import ReportInputs

__all__ = ["CHECKLISTS", "TO_WRITE", "checklist_names", "write_checklists"]

CHECKLISTS: Final = {checklist.name: checklist for checklist in (TRIPOD_AI, CLAIM)}
TO_WRITE: Final = "author must write"


def checklist_names(text: str) -> tuple[str, ...]:
    """Read the names of checklists, such as "tripod-ai,claim"; `tripod_ai` is the same as `tripod-ai`.

    Raises:
        ConfigError: there is none, or one is not known.

    Example:
        >>> checklist_names("CLAIM, tripod_ai")
        ('claim', 'tripod-ai')
    """
    names = [part.strip().lower().replace("_", "-") for part in text.split(",") if part.strip()]
    if not names or (unknown := [name for name in names if name not in CHECKLISTS]):
        received = ", ".join(unknown) if names else repr(text)
        raise ConfigError(f"--checklist {received}: not known; known are {', '.join(CHECKLISTS)}.")
    return tuple(dict.fromkeys(names))


def write_checklists(inputs: ReportInputs, names: Sequence[str], folder: Path) -> list[Path]:
    """Write `checklist_<name>.md` for each name, atomically.

    Args:
        inputs: what is reported; manifest, split, audit and config may be None where only predictions are known.
        names: as from `checklist_names`.
        folder: where to.

    Returns:
        The files, in the order of the names.
    """
    facts = facts_of(inputs)
    files = []
    for name in names:
        path = folder / f"checklist_{name}.md"
        write_atomically(path, _render(CHECKLISTS[name], facts, title=inputs.title))
        files.append(path)
    return files


def _render(checklist: Checklist, facts: Mapping[str, str], *, title: str) -> str:
    answers = [_answer(item, facts) for item in checklist.items]
    filled = sum(answer != TO_WRITE for answer in answers)
    rows = [
        f"| {item.number} | {item.section} | {_cell(item.asks)} | {_cell(answer)} |"
        for item, answer in zip(checklist.items, answers, strict=True)
    ]
    lines = [
        f"# {checklist.title}: {_cell(title)}",
        f"{checklist.size}. Something is known of {filled} of these {len(answers)} lines, for the author to check; the "
        f"others say “{TO_WRITE}”. The items are paraphrased here; the published checklist is binding: "
        f"{checklist.source}",
        "\n".join(["| item | part | asks for | this study |", "|---|---|---|---|", *rows]),
    ]
    return "\n\n".join(lines) + "\n"


def _answer(item: Item, facts: Mapping[str, str]) -> str:
    known = [facts[name] for name in item.facts if facts.get(name)]
    if not known:
        return TO_WRITE
    return " ".join([*known, f"**Author must add: {item.rest}.**" if item.rest else ""]).strip()


def _cell(text: str) -> str:
    """Return text that stands in one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
