"""What is done about findings: which images are not trained on, and how a split says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lobule.data.manifest import Manifest
from lobule.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from lobule.data.findings import Audit, Finding, Kind

__all__ = ["apply_policy", "policy_text"]

_RULES: dict[str, tuple[Kind, ...]] = {
    "identical pixels once": ("identical_pixels", "subtype_conflict"),
    "near duplicates once, the largest": ("near_duplicates", "near_subtype_conflict"),
    "conflicting subtypes emptied": ("subtype_conflict", "near_subtype_conflict"),
    "conflicting labels dropped": ("label_conflict", "near_label_conflict"),
}


def apply_policy(manifest: Manifest, audit: Audit) -> Manifest:
    """Return the manifest without what the findings forbid, its rows in their order.

    Identical pixels stay once, as the first image by id, and near duplicates once, as the largest: one copy is on one
    side of any split, so nothing leaks through it even where the copies were of two cases. Where the subtypes of the
    copies conflict, it keeps the label and loses the subtype; where only some copies name a subtype, it has that one.
    Where the labels conflict, no copy stays.

    Args:
        manifest: the audited manifest.
        audit: its audit.

    Raises:
        DataError: the audit is of another manifest, or no image would be left.
    """
    if audit.dataset_sha256 != manifest.digest:
        raise DataError("audit: it was made of another manifest; pass audit(manifest) of this one.")
    found = manifest.frame.set_index("image_id", drop=False)
    frame = found.copy()
    dropped: set[str] = set()
    # Near duplicates include their identical copies: the larger group has the last word.
    for finding in sorted(audit.findings, key=lambda finding: len(finding.image_ids)):
        dropped.update(_dropped(finding))
        if finding.policy.startswith("keep_first"):
            subtypes = found.loc[list(finding.image_ids), "subtype"]
            frame.loc[finding.image_ids[0], "subtype"] = _subtype_of_copies(subtypes)
    kept = frame[~frame["image_id"].isin(dropped)]
    if kept.empty:
        raise DataError("manifest: every image has a copy of the other label; correct the labels and scan again.")
    return Manifest(kept, manifest.root)


def policy_text(findings: Iterable[Finding]) -> str:
    """Return in words what the policies do: the rules, how often each applied, and the images dropped.

    Args:
        findings: of an audit.
    """
    found = list(findings)
    groups = Counter(finding.kind for finding in found)
    counts = {rule: sum(groups[kind] for kind in kinds) for rule, kinds in _RULES.items()}
    rules = [f"{rule} (found {count})" if count else rule for rule, count in counts.items()]
    return "; ".join([*rules, f"{len({image for item in found for image in _dropped(item)})} images dropped"])


def _dropped(finding: Finding) -> tuple[str, ...]:
    """Return the images that a finding's policy takes out."""
    if finding.policy == "drop_all":
        return finding.image_ids
    return finding.image_ids[1:] if finding.policy.startswith("keep_first") else ()


def _subtype_of_copies(subtypes: pd.Series[str]) -> str:
    named = set(subtypes) - {""}
    return named.pop() if len(named) == 1 else ""
