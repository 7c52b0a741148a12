"""Look for what makes a data set lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lobule.data.associations import ATTRIBUTES, associations, attributes_of
from lobule.data.checks import NAME_CHECKS, PIXEL_CHECKS, attributes_that_predict, imbalance, leaks_between_parts
from lobule.data.evidence import gather, pictures_of
from lobule.data.findings import Audit, Finding, Imbalance
from lobule.data.leakage import LEVELS, leaks
from lobule.data.policy import apply_policy
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lobule.data.associations import Association
    from lobule.data.evidence import Evidence
    from lobule.data.given_split import GivenSplit
    from lobule.data.manifest import Manifest
    from lobule.data.pixel_cache import Pixels

__all__ = ["Audit", "Finding", "Imbalance", "apply_policy", "audit"]

_PIXEL_LEVELS = ("identical pixels", "same picture")
_CASE_LEVELS = ("patient", "case")
_METADATA_SHOWN = 5
_SEVERITIES = ("error", "warning", "note")
_NO_CASES = "cases on both sides of the split: no case is known (see --case-pattern)"


def audit(
    manifest: Manifest, *, split: GivenSplit | None = None, cache: bool = True, progress: Progress | None = None
) -> Audit:
    """Check a manifest, and a split of it; nothing is changed.

    Checks of pixels and files are skipped, and said to be, where only names are known or files are gone.

    Args:
        manifest: the images.
        split: somebody's split of them, as from `read_given_split`.
        cache: use what the scan remembers of the files, so that none is opened twice.
        progress: called as `progress("audit", done, total)`.
    """
    evidence = gather(manifest, cache=cache, progress=progress or silent)
    frame, seen = _by_id(manifest, evidence)
    attributes = attributes_of(frame, [item.traits if item else None for item in seen])
    measured = tuple(associations(frame, attributes))
    has_pixels = bool((frame["pixel_sha256"] != "").any())
    has_cases = bool((frame["case_id"] != frame["image_id"]).any())
    shared = tuple(leaks(split, frame, levels=_levels(has_pixels, has_cases))) if split else ()
    checks = (*(PIXEL_CHECKS if has_pixels else ()), *NAME_CHECKS)
    findings = [finding for check in checks for finding in check(frame)]
    findings += [*leaks_between_parts(shared), *attributes_that_predict(measured)]
    return Audit(
        dataset_sha256=manifest.digest,
        images=len(frame),
        cases=frame["case_id"].nunique(),
        findings=tuple(sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity))),
        imbalance=tuple(imbalance(frame, attributes[_tabulated(measured)])),
        skipped=(*evidence.skipped, *((_NO_CASES,) if split and not has_cases else ())),
        associations=measured,
        leakage=shared,
        split=split,
    )


def _by_id(manifest: Manifest, evidence: Evidence) -> tuple[pd.DataFrame, list[Pixels | None]]:
    """Return the rows by image_id with the picture that each shows, and what was seen of each."""
    order = manifest.frame["image_id"].argsort(kind="stable").tolist()
    frame = manifest.frame.iloc[order].reset_index(drop=True)
    seen = [evidence.seen[row] for row in order]
    return frame.assign(picture=pictures_of(frame, seen)), seen


def _levels(has_pixels: bool, has_cases: bool) -> tuple[str, ...]:
    unknown = {*(() if has_pixels else _PIXEL_LEVELS), *(() if has_cases else _CASE_LEVELS)}
    return tuple(level for level in LEVELS if level not in unknown)


def _tabulated(measured: Sequence[Association]) -> list[str]:
    """Return the attributes to count labels by: what a manifest knows, and the clearest of the metadata."""
    known = {name for item in measured if set(item.attributes) & set(ATTRIBUTES) for name in item.attributes}
    clearest = [item.attributes[0] for item in measured if item.attributes[0] not in known]
    return [*ATTRIBUTES, *clearest[:_METADATA_SHOWN]]
