"""An audit as text for people: a summary, the findings by kind, what a split shares, and what predicts the label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lobule.data.associations import is_clear

if TYPE_CHECKING:
    from lobule.data.findings import Audit
    from lobule.data.given_split import GivenSplit
    from lobule.data.leakage import Leak

__all__ = ["text_of"]

_FINDINGS_SHOWN = 10
_ASSOCIATIONS_SHOWN = 10
_NAME_WIDTH = 34


def text_of(audit: Audit) -> str:
    """Return an audit as lines of text, tables aligned."""
    blocks = [
        [f"{audit.images:,} images, {audit.cases:,} cases, {len(audit.findings)} findings", *_findings(audit)],
        [*_leakage(audit)],
        [*_associations(audit)],
        [*_imbalance(audit)],
        [f"skipped: {reason}" for reason in audit.skipped],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _findings(audit: Audit) -> Iterator[str]:
    for kind in dict.fromkeys(finding.kind for finding in audit.findings):
        of_kind = [finding for finding in audit.findings if finding.kind == kind]
        yield f"{of_kind[0].severity}: {kind}: {len(of_kind)} (policy: {of_kind[0].policy})"
        yield from (f"  {finding.message}" for finding in of_kind[:_FINDINGS_SHOWN])
        if len(of_kind) > _FINDINGS_SHOWN:
            yield f"  and {len(of_kind) - _FINDINGS_SHOWN} more"


def _leakage(audit: Audit) -> Iterator[str]:
    if not audit.split:
        return
    yield _about(audit.split)
    yield f"{'held out':<24}{'shared with other parts':<26}{'groups':>8}{'images':>10}{'of':>10}{'share':>9}"
    for leak in audit.leakage:
        counts = f"{len(leak.groups):>8,}{len(leak.image_ids):>10,}{leak.images:>10,}{leak.share:>9.1%}"
        yield f"{_part(leak):<24}{leak.level:<26}{counts}"


def _about(given: GivenSplit) -> str:
    missing = f"; {given.missing:,} of its entries are not in the data" if given.missing else ""
    left_out = f"; {given.left_out:,} images of the data are in no part" if given.left_out else ""
    return f"split {given.source}{missing}{left_out}"


def _part(leak: Leak) -> str:
    return f"{leak.division}, {leak.part}" if leak.division not in ("", "folds") else leak.part


def _associations(audit: Audit) -> Iterator[str]:
    if audit.associations:
        yield f"{'predicts the label of held-out cases':<50}{'values':>8}{'balanced accuracy':>20}{'by chance':>12}"
    for found in audit.associations[:_ASSOCIATIONS_SHOWN]:
        more = len(found.attributes) - 1
        name = found.attributes[0][:_NAME_WIDTH] + (f" and {more} more" if more else "")
        mark = "  <- look" if is_clear(found) else ""
        yield f"{name:<50}{found.values:>8,}{found.balanced_accuracy:>20.2f}{found.by_chance:>12.2f}{mark}"


def _imbalance(audit: Audit) -> Iterator[str]:
    yield f"{'attribute':<26}{'value':<28}{'benign':>10}{'malignant':>12}"
    for row in audit.imbalance:
        yield f"{row.attribute[:25]:<26}{row.value[:27]:<28}{row.benign:>10,}{row.malignant:>12,}"
