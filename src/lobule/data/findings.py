"""What an audit says: typed findings, and the document `audit.json` that they become.

| key of audit.json | holds |
|---|---|
| `schema_version` | 1 |
| `dataset_sha256`, `images`, `cases` | what was audited |
| `has_conflicts` | whether the data contradict themselves or the split leaks (exit code 3) |
| `findings` | a list of `kind, severity, image_ids, case_ids, message, policy` |
| `policy` | in words, what the policies of all findings do; `lobule train` writes it into its split |
| `split` | of the split that was given, else null: `source, missing, left_out` |
| `leakage` | list of `division, part, against, level, groups, image_ids, case_ids, images, share`; no groups: no leak |
| `associations` | a list of `attributes, values, balanced_accuracy, by_chance` |
| `imbalance` | a list of `attribute, value, benign, malignant`; values of metadata are hashes |
| `skipped` | checks that could not be made, and why |
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from lobule.data.associations import Association
from lobule.data.leakage import Leak

if TYPE_CHECKING:
    from lobule.data.given_split import GivenSplit

__all__ = ["Audit", "Finding", "Imbalance", "Kind", "Policy", "Severity"]

Kind = Literal[
    "identical_pixels",
    "subtype_conflict",
    "label_conflict",
    "near_duplicates",
    "near_subtype_conflict",
    "near_label_conflict",
    "case_with_both_labels",
    "image_on_both_sides",
    "patient_on_both_sides",
    "case_on_both_sides",
    "pixels_on_both_sides",
    "picture_on_both_sides",
    "attribute_predicts_label",
]
Severity = Literal["note", "warning", "error"]
Policy = Literal["keep_first", "keep_first_without_subtype", "drop_all", "keep_all", "merge"]
"""What is done: drop all but the first image, the same and empty its subtype, drop all, nothing, or keep the images of
a case together, which every split by case does."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        kind: which check found it.
        severity: note (nothing to do), warning (look at it), error (the data contradict themselves).
        image_ids: the images concerned; the first is the one that `keep_first` keeps.
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
        imbalance: images of each label by magnification, size, file format and metadata.
        skipped: checks that could not be made, and why.
        associations: how well each of these attributes predicts the label, the clearest first.
        leakage: what the parts of a given split share, by part and level.
        split: the split that was given, if any.
    """

    dataset_sha256: str
    images: int
    cases: int
    findings: tuple[Finding, ...]
    imbalance: tuple[Imbalance, ...]
    skipped: tuple[str, ...]
    associations: tuple[Association, ...] = ()
    leakage: tuple[Leak, ...] = ()
    split: GivenSplit | None = None

    @property
    def has_conflicts(self) -> bool:
        """Whether the data contradict themselves or the split leaks; `lobule data audit` then ends with exit code 3."""
        return any(finding.severity == "error" for finding in self.findings)

    @property
    def policy(self) -> str:
        """What `apply_policy` does, in words and numbers."""
        from lobule.data.policy import policy_text

        return policy_text(self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the audit as a JSON value, the document of `audit.json`."""
        given = self.split
        values = {
            "schema_version": 1,
            "dataset_sha256": self.dataset_sha256,
            "images": self.images,
            "cases": self.cases,
            "has_conflicts": self.has_conflicts,
            "findings": [asdict(finding) for finding in self.findings],
            "policy": self.policy,
            "split": given and {"source": given.source, "missing": given.missing, "left_out": given.left_out},
            "leakage": [{**asdict(leak), "share": leak.share} for leak in self.leakage],
            "associations": [asdict(association) for association in self.associations],
            "imbalance": [asdict(row) for row in self.imbalance],
            "skipped": self.skipped,
        }
        document: dict[str, Any] = json.loads(json.dumps(values))
        return document

    def as_text(self) -> str:
        """Return the audit as text for people."""
        from lobule.data.audit_text import text_of

        return text_of(self)
