from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobule.config import DataSettings
from lobule.data.audit import apply_policy, audit
from lobule.data.manifest import Manifest
from lobule.data.scan import scan
from lobule.errors import DataError
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPES


def manifest_of(*rows: tuple[str, str, str, str]) -> Manifest:
    """Make a manifest of (image_id, pixels, class, case)."""
    return Manifest.from_rows(
        [
            {
                "image_id": image_id,
                "path": f"{image_id}.png",
                "pixel_sha256": pixels,
                "width": 10,
                "height": 20,
                "label": LABEL_OF_SUBTYPE.get(name, name),
                "subtype": name if name in SUBTYPES else "",
                "patient_id": case,
                "case_id": case,
                "magnification": 40,
            }
            for image_id, pixels, name, case in rows
        ],
        root=Path(),
    )


def kept(manifest: Manifest) -> list[tuple[str, str, str]]:
    frame = apply_policy(manifest, audit(manifest)).frame
    return list(zip(frame["image_id"], frame["label"], frame["subtype"], strict=True))


def test_nothing_wrong_is_nothing_found() -> None:
    manifest = manifest_of(("a", "1", "adenosis", "c"), ("b", "2", "adenosis", "c"))
    found = audit(manifest)
    assert found.findings == ()
    assert not found.has_conflicts
    assert apply_policy(manifest, found).digest == manifest.digest


def test_identical_pixels_stay_once() -> None:
    manifest = manifest_of(("b", "1", "adenosis", "c"), ("a", "1", "adenosis", "c"), ("x", "2", "adenosis", "c"))
    (finding,) = audit(manifest).findings
    assert (finding.kind, finding.severity, finding.policy) == ("identical_pixels", "note", "keep_first")
    assert finding.image_ids == ("a", "b")
    assert kept(manifest) == [("a", "benign", "adenosis"), ("x", "benign", "adenosis")]


def test_copies_that_link_two_cases_are_a_warning() -> None:
    manifest = manifest_of(("a", "1", "adenosis", "c"), ("b", "1", "adenosis", "d"))
    (finding,) = audit(manifest).findings
    assert (finding.severity, finding.case_ids) == ("warning", ("c", "d"))
    assert "link the cases c, d" in finding.message
    assert apply_policy(manifest, audit(manifest)).frame["case_id"].tolist() == ["c"]


def test_conflicting_subtypes_keep_the_label_alone() -> None:
    manifest = manifest_of(("a", "1", "ductal_carcinoma", "c"), ("b", "1", "lobular_carcinoma", "c"))
    found = audit(manifest)
    assert found.has_conflicts
    assert [finding.kind for finding in found.findings] == ["subtype_conflict"]
    assert kept(manifest) == [("a", "malignant", "")]


def test_a_copy_without_subtype_is_no_conflict() -> None:
    manifest = manifest_of(("a", "1", "malignant", "c"), ("b", "1", "lobular_carcinoma", "c"))
    assert not audit(manifest).has_conflicts
    assert kept(manifest) == [("a", "malignant", "lobular_carcinoma")]


def test_conflicting_labels_drop_every_copy() -> None:
    copies = ("a", "1", "malignant", "c"), ("b", "1", "benign", "d"), ("e", "1", "benign", "d")
    manifest = manifest_of(*copies, ("x", "2", "benign", "d"))
    (finding,) = audit(manifest).findings
    assert (finding.kind, finding.severity, finding.policy) == ("label_conflict", "error", "drop_all")
    assert "2 benign, 1 malignant" in finding.message
    assert kept(manifest) == [("x", "benign", "")]
    with pytest.raises(DataError, match="every image has a copy of the other label"):
        kept(manifest_of(*copies))


def test_a_case_with_both_labels_is_reported_and_kept() -> None:
    manifest = manifest_of(("a", "1", "malignant", "c"), ("b", "2", "benign", "c"))
    (finding,) = audit(manifest).findings
    assert (finding.kind, finding.severity, finding.case_ids) == ("case_with_both_labels", "warning", ("c",))
    assert len(kept(manifest)) == 2


def test_names_without_pixels_are_not_copies() -> None:
    found = audit(manifest_of(("a", "", "malignant", "c"), ("b", "", "benign", "d")))
    assert found.findings == ()
    assert "only names are known" in found.skipped[0]
    assert "skipped: identical pixels" in found.as_text()


def test_the_imbalance_table_counts_every_image_once_an_attribute() -> None:
    found = audit(manifest_of(("a", "1", "malignant", "c"), ("b", "2", "benign", "d"), ("e", "3", "benign", "d")))
    assert [(row.attribute, row.value, row.benign, row.malignant) for row in found.imbalance] == [
        ("magnification", "40", 2, 1),
        ("size", "10x20", 2, 1),
        ("format", "png", 2, 1),
    ]


def test_the_document_is_plain_json() -> None:
    found = audit(manifest_of(("a", "1", "malignant", "c"), ("b", "1", "benign", "c")))
    document = found.to_json()
    assert json.loads(json.dumps(document)) == document
    assert document["schema_version"] == 1
    assert [finding["severity"] for finding in document["findings"]] == ["error", "warning"]


def test_long_lists_are_shortened_for_people() -> None:
    rows = [(f"{group}{copy}", str(group), "adenosis", "c") for group in range(12) for copy in "abcde"]
    text = audit(manifest_of(*rows)).as_text()
    assert "note: identical_pixels: 12" in text
    assert "0a, 0b, 0c and 2 more have the same pixels" in text
    assert "and 2 more\n" in text


def test_an_audit_of_other_data_is_refused() -> None:
    one, other = manifest_of(("a", "1", "benign", "c")), manifest_of(("a", "2", "benign", "c"))
    with pytest.raises(DataError, match="another manifest"):
        apply_policy(other, audit(one))


CLASSES = st.sampled_from(["benign", "malignant", "ductal_carcinoma", "lobular_carcinoma", "adenosis"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("123"), CLASSES, st.sampled_from("cd")), min_size=1, max_size=8))
def test_after_the_policy_no_pixels_stand_twice(items: list[tuple[str, str, str]]) -> None:
    manifest = manifest_of(*((f"{number}", *item) for number, item in enumerate(items)), ("x", "9", "benign", "e"))
    clean = apply_policy(manifest, audit(manifest))
    assert not clean.frame["pixel_sha256"].duplicated().any()
    assert {finding.kind for finding in audit(clean).findings} <= {"case_with_both_labels"}
    labels: Any = manifest.frame.set_index("image_id")["label"]
    assert all(labels[row.image_id] == row.label for row in clean.frame.itertuples())


@pytest.mark.shared
def test_the_case_filed_under_two_subtypes(shared: Path) -> None:
    names = scan(shared / "breakhis" / "all_filenames.txt", settings=DataSettings()).manifest
    one_case = names.frame["image_id"].str.replace("_LC-14-13412-", "_DC-14-13412-")
    manifest = Manifest(names.frame.assign(pixel_sha256=one_case), names.root)
    found = audit(manifest)
    assert found.has_conflicts
    assert {finding.kind for finding in found.findings} == {"subtype_conflict"}
    assert {finding.case_ids for finding in found.findings} == {("14-13412",)}
    clean = apply_policy(manifest, found)
    assert len(clean) == len(manifest) - len(found.findings)
    assert (clean.frame["subtype"] == "").sum() == len(found.findings)
