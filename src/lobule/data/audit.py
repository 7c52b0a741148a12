"""Look for what makes a data set lie, and take out what must not be trained on."""

from __future__ import annotations

import pandas as pd

from lobule.data.checks import NAME_CHECKS, PIXEL_CHECKS, imbalance
from lobule.data.findings import Audit, Finding, Imbalance
from lobule.data.manifest import Manifest
from lobule.errors import DataError

__all__ = ["Audit", "Finding", "Imbalance", "apply_policy", "audit"]

_SEVERITIES = ("error", "warning", "note")


def audit(manifest: Manifest) -> Audit:
    """Check a manifest; nothing is changed.

    Checks of pixels are skipped, and said to be, where only names are known.
    """
    frame = manifest.frame.sort_values("image_id", kind="stable")
    has_pixels = bool((frame["pixel_sha256"] != "").any())
    checks = (*(PIXEL_CHECKS if has_pixels else ()), *NAME_CHECKS)
    findings = [finding for check in checks for finding in check(frame)]
    return Audit(
        dataset_sha256=manifest.digest,
        images=len(frame),
        cases=frame["case_id"].nunique(),
        findings=tuple(sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity))),
        imbalance=tuple(imbalance(frame)),
        skipped=() if has_pixels else ("identical pixels: only names are known, no pixels",),
    )


def apply_policy(manifest: Manifest, audit: Audit) -> Manifest:
    """Return the manifest without what the findings forbid, its rows in their order.

    Identical pixels stay once, as the first image by id: one copy is on one side of any split, so nothing leaks through
    it even where the copies were of two cases. Where the subtypes of the copies conflict, it keeps the label and loses
    the subtype; where only some copies name a subtype, it has that one. Where the labels conflict, no copy stays.

    Args:
        manifest: the audited manifest.
        audit: its audit.

    Raises:
        DataError: the audit is of another manifest, or no image would be left.
    """
    if audit.dataset_sha256 != manifest.digest:
        raise DataError("audit: it was made of another manifest; pass audit(manifest) of this one.")
    frame = manifest.frame.set_index("image_id", drop=False)
    dropped: list[str] = []
    for finding in audit.findings:
        if finding.policy == "keep_all":
            continue
        first, *others = finding.image_ids
        dropped += finding.image_ids if finding.policy == "drop_all" else others
        frame.loc[first, "subtype"] = _subtype_of_copies(frame.loc[list(finding.image_ids), "subtype"])
    kept = frame.drop(index=dropped)
    if kept.empty:
        raise DataError("manifest: every image has a copy of the other label; correct the labels and scan again.")
    return Manifest(kept, manifest.root)


def _subtype_of_copies(subtypes: pd.Series[str]) -> str:
    named = set(subtypes) - {""}
    return named.pop() if len(named) == 1 else ""
