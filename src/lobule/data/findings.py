"""What an audit says: typed findings, and the document and the text they become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Audit", "Finding", "Imbalance"]

Kind = Literal["identical_pixels", "subtype_conflict", "label_conflict", "case_with_both_labels"]
Severity = Literal["note", "warning", "error"]
Policy = Literal["keep_first", "keep_first_without_subtype", "drop_all", "keep_all"]

_FINDINGS_SHOWN = 10


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        kind: which check found it.
        severity: note (nothing to do), warning (look at it), error (the data contradict themselves).
        image_ids: the images concerned, sorted; the first is the one that `keep_first` keeps.
        case_ids: their cases, sorted.
        message: what was found, for people.
        policy: what `apply_policy` does about it.
    """

    kind: Kind
    severity: Severity
    image_ids: tuple[str, ...]
    case_ids: tuple[str, ...]
    message: str
    policy: Policy


@dataclass(frozen=True)
class Imbalance:
    """Number of images of each label where an attribute has one value, e.g. magnification 40.

    An attribute with a value that only one label has can be learned instead of the tissue.
    """

    attribute: str
    value: str
    benign: int
    malignant: int


@dataclass(frozen=True)
class Audit:
    """What the audit of a manifest found.

    Attributes:
        dataset_sha256: digest of the manifest.
        images: number of images.
        cases: number of cases.
        findings: what is wrong, errors first.
        imbalance: images of each label by magnification, size and file format.
        skipped: checks that could not be made, and why.
    """

    dataset_sha256: str
    images: int
    cases: int
    findings: tuple[Finding, ...]
    imbalance: tuple[Imbalance, ...]
    skipped: tuple[str, ...]

    @property
    def has_conflicts(self) -> bool:
        """Whether the data contradict themselves; `lobule data audit` then ends with exit code 3."""
        return any(finding.severity == "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the audit as a JSON value, the document of `audit.json`."""
        document: dict[str, Any] = json.loads(json.dumps({"schema_version": 1, **asdict(self)}))
        return document

    def as_text(self) -> str:
        """Return the audit as text for people: a summary, the findings by kind, and the imbalance table."""
        lines = [f"{self.images} images, {self.cases} cases, {len(self.findings)} findings", *self._finding_lines(), ""]
        lines.append(f"{'attribute':<14}{'value':<24}{'benign':>10}{'malignant':>12}")
        lines += [f"{row.attribute:<14}{row.value:<24}{row.benign:>10}{row.malignant:>12}" for row in self.imbalance]
        return "\n".join([*lines, *(f"skipped: {reason}" for reason in self.skipped)])

    def _finding_lines(self) -> Iterator[str]:
        for kind in dict.fromkeys(finding.kind for finding in self.findings):
            of_kind = [finding for finding in self.findings if finding.kind == kind]
            yield f"{of_kind[0].severity}: {kind}: {len(of_kind)}"
            yield from (f"  {finding.message}" for finding in of_kind[:_FINDINGS_SHOWN])
            if len(of_kind) > _FINDINGS_SHOWN:
                yield f"  and {len(of_kind) - _FINDINGS_SHOWN} more"
