from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobule.data.checks import identical_pixels, near_duplicates
from lobule.data.findings import Audit, Finding
from lobule.data.manifest import Manifest
from lobule.data.policy import apply_policy, policy_text
from lobule.taxonomy import LABEL_OF_SUBTYPE
from tests.data.manifests import named

LETTERS = {"A": "B", "F": "B", "DC": "M", "LC": "M"}


def manifest_of(*rows: tuple[str, str, str, int]) -> tuple[Manifest, pd.DataFrame]:
    """Make a manifest of (subtype code, pixels, picture, width), numbered; and its rows with their pictures."""
    names = [f"SOB_{LETTERS[code]}_{code}-14-{100 + row}-40-{row:03}.png" for row, (code, *_) in enumerate(rows)]
    plain = named(*names)
    frame = plain.frame.assign(
        image_id=[f"i{row}" for row in range(len(rows))],
        pixel_sha256=[pixels for _, pixels, _, _ in rows],
        width=[width for *_, width in rows],
        height=1,
    )
    manifest = Manifest(frame, plain.root)
    first: dict[str, str] = {}
    pictures = [first.setdefault(row[2], f"i{number}") for number, row in enumerate(rows)]
    return manifest, manifest.frame.assign(picture=pictures)


def audited(*rows: tuple[str, str, str, int]) -> tuple[Manifest, Audit]:
    manifest, frame = manifest_of(*rows)
    findings = (*near_duplicates(frame), *identical_pixels(frame))
    return manifest, Audit(manifest.digest, len(frame), 0, findings, (), ())


def kept(*rows: tuple[str, str, str, int]) -> list[tuple[str, str]]:
    frame = apply_policy(*audited(*rows)).frame
    return list(zip(frame["image_id"], frame["subtype"], strict=True))


OTHER = ("A", "z", "Z", 9)


def test_of_near_duplicates_the_largest_is_kept() -> None:
    manifest, audit = audited(("A", "p", "P", 224), ("A", "q", "P", 700), ("A", "r", "P", 700))
    (finding,) = audit.findings
    assert (finding.kind, finding.severity, finding.image_ids) == ("near_duplicates", "warning", ("i1", "i2", "i0"))
    assert "show the same picture" in finding.message
    assert apply_policy(manifest, audit).frame["image_id"].tolist() == ["i1"]


def test_near_duplicates_of_other_classes() -> None:
    assert kept(("DC", "p", "P", 1), ("LC", "q", "P", 2), OTHER) == [("i1", ""), ("i2", "adenosis")]
    assert kept(("DC", "p", "P", 1), ("A", "q", "P", 2), OTHER) == [("i2", "adenosis")]
    kinds = [audited(("DC", "p", "P", 1), (code, "q", "P", 2))[1].findings[0].kind for code in ("LC", "A")]
    assert kinds == ["near_subtype_conflict", "near_label_conflict"]


def test_identical_copies_count_in_the_group_of_their_picture() -> None:
    rows = ("DC", "p", "P", 1), ("LC", "p", "P", 1), ("DC", "q", "P", 2), OTHER
    assert [finding.kind for finding in audited(*rows)[1].findings] == ["near_subtype_conflict", "subtype_conflict"]
    assert kept(*rows) == [("i2", ""), ("i3", "adenosis")]
    assert kept(("DC", "p", "P", 1), ("A", "p", "P", 1), ("DC", "q", "P", 2), OTHER) == [("i3", "adenosis")]


def test_the_rules_are_in_words_and_count() -> None:
    assert policy_text([]) == (
        "identical pixels once; near duplicates once, the largest; conflicting subtypes emptied; conflicting labels "
        "dropped; 0 images dropped"
    )
    _, audit = audited(("DC", "p", "P", 1), ("LC", "p", "P", 1), ("DC", "q", "P", 2), OTHER)
    assert policy_text(audit.findings) == (
        "identical pixels once (found 1); near duplicates once, the largest (found 1); conflicting subtypes emptied "
        "(found 2); conflicting labels dropped; 2 images dropped"
    )


@pytest.mark.parametrize("policy", ["keep_all", "merge"])
def test_other_policies_drop_nothing(policy: str) -> None:
    manifest, _ = manifest_of(OTHER, OTHER)
    finding = Finding("case_on_both_sides", "error", ("i0", "i1"), (), "", policy)  # type: ignore[arg-type]
    audit = Audit(manifest.digest, 2, 2, (finding,), (), ())
    assert apply_policy(manifest, audit).digest == manifest.digest
    assert policy_text(audit.findings).endswith("; 0 images dropped")


picture_rows = st.tuples(st.sampled_from(list(LETTERS)), st.sampled_from("pqr"), st.integers(1, 3))


@settings(max_examples=40)
@given(st.lists(picture_rows, max_size=9))
def test_after_the_policy_every_picture_stands_once_with_what_its_copies_agree_on(
    drawn: list[tuple[str, str, int]],
) -> None:
    # Pixels p and q are of one picture, r is of another.
    rows = [(code, pixels, "P" if pixels in "pq" else "R", width) for code, pixels, width in drawn]
    manifest, frame = manifest_of(*rows, OTHER)
    findings = (*near_duplicates(frame), *identical_pixels(frame))
    clean = apply_policy(manifest, Audit(manifest.digest, len(frame), 0, findings, (), ()))
    pictures = frame.set_index("image_id")["picture"]
    assert not pictures[clean.frame["image_id"]].duplicated().any()
    for row in clean.frame.itertuples():
        copies = frame[frame["picture"] == pictures[str(row.image_id)]]
        assert set(copies["label"]) == {row.label}
        assert row.subtype == (copies["subtype"].iloc[0] if copies["subtype"].nunique() == 1 else "")
        assert row.subtype == "" or LABEL_OF_SUBTYPE[str(row.subtype)] == row.label
