from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lobule.config import DataSettings
from lobule.data import measure
from lobule.data.audit import apply_policy, audit
from lobule.data.given_split import Division, GivenSplit, read_given_split
from lobule.data.manifest import Manifest
from lobule.data.scan import scan
from lobule.errors import DataError
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPES
from tests.data.manifests import scanned
from tests.data.pictures import tissue
from tests.data.planted import copy_with_plants


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


@pytest.mark.slow
@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("123"), CLASSES, st.sampled_from("cd")), min_size=1, max_size=8))
def test_after_the_policy_no_pixels_stand_twice(items: list[tuple[str, str, str]]) -> None:
    manifest = manifest_of(*((f"{number}", *item) for number, item in enumerate(items)), ("x", "9", "benign", "e"))
    clean = apply_policy(manifest, audit(manifest))
    assert not clean.frame["pixel_sha256"].duplicated().any()
    assert {finding.kind for finding in audit(clean).findings} <= {"case_with_both_labels"}
    labels: Any = manifest.frame.set_index("image_id")["label"]
    assert all(labels[row.image_id] == row.label for row in clean.frame.itertuples())


def folder_with(tmp_path: Path, *images: tuple[str, Image.Image]) -> Manifest:
    for name, image in images:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        image.save(tmp_path / name)
    return scanned(tmp_path)


PICTURE, OTHER_PICTURE = Image.fromarray(tissue(1)), Image.fromarray(tissue(2))


def test_changed_copies_are_found_in_the_files(tmp_path: Path) -> None:
    squashed = PICTURE.transpose(Image.Transpose.ROTATE_90).resize((64, 64))
    manifest = folder_with(
        tmp_path, ("malignant/a.png", squashed), ("benign/b.png", PICTURE), ("benign/c.png", OTHER_PICTURE)
    )
    found = audit(manifest)
    assert [(item.kind, item.image_ids) for item in found.findings] == [("near_label_conflict", ("b", "a"))]
    assert found.has_conflicts
    assert found.skipped == ()
    assert apply_policy(manifest, found).frame["image_id"].tolist() == ["c"]


def test_the_audit_after_a_scan_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = folder_with(tmp_path, ("benign/b.png", PICTURE), ("benign/c.jpg", PICTURE))
    first = audit(manifest, cache=False)
    assert [item.kind for item in first.findings] == ["near_duplicates"]
    monkeypatch.setattr(measure, "inspect", None)
    assert audit(manifest).to_json() == first.to_json()


def test_files_that_are_gone_or_changed_are_said_to_be_skipped(tmp_path: Path) -> None:
    manifest = folder_with(
        tmp_path, ("benign/a.png", PICTURE), ("benign/b.png", PICTURE.rotate(180)), ("benign/c.png", OTHER_PICTURE)
    )
    (tmp_path / "benign/a.png").unlink()
    OTHER_PICTURE.save(tmp_path / "benign/b.png")
    found = audit(manifest)
    assert found.findings == ()
    (reason,) = found.skipped
    assert "2 of 3 files could not be looked at, first benign/a.png: no such file" in reason


def test_metadata_that_tells_the_label_is_a_warning_and_its_values_are_hashed(tmp_path: Path) -> None:
    for number in range(40):
        label = "benign" if number < 20 else "malignant"
        entries = PngInfo()
        entries.add_text("Comment", f"by Dr. {label}")
        path = tmp_path / label / f"k{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(tissue(number)).save(path, pnginfo=entries)
    found = audit(scanned(tmp_path))
    assert [item.kind for item in found.findings] == ["attribute_predicts_label"]
    assert "entry Comment: alone it predicts the label" in found.findings[0].message
    assert not found.has_conflicts
    assert "Dr." not in json.dumps(found.to_json())
    assert "entry Comment" in {row.attribute for row in found.imbalance}


def test_a_split_that_leaks_is_an_error_at_each_level(tmp_path: Path) -> None:
    names = ["B_A-14-1A-40-001", "B_A-14-1B-40-001", "B_A-14-2-40-001", "M_DC-14-3-40-001"]
    pictures = PICTURE, OTHER_PICTURE, OTHER_PICTURE.resize((70, 70)), Image.fromarray(tissue(3))
    images = [(f"SOB_{name}.png", image) for name, image in zip(names, pictures, strict=True)]
    manifest = folder_with(tmp_path, *images)
    parts = {"train": [f"SOB_{names[0]}"], "validation": [f"SOB_{names[3]}"], "test": [f"SOB_{names[1]}"]}
    given = GivenSplit("x.csv", (Division("", {part: tuple(ids) for part, ids in parts.items()}),), 0, 1)
    found = audit(manifest, split=given)
    errors = [item for item in found.findings if item.severity == "error"]
    assert [(item.kind, item.policy) for item in errors] == [("case_on_both_sides", "merge")]
    assert errors[0].message == "test: 1 of 1 images (100.0%) are of 1 case also in train or validation: 14-1"
    text = found.as_text()
    assert "split x.csv; 1 images of the data are in no part" in text
    assert re.search(r"test +case +1 +1 +1 +100.0%", text)
    assert found.to_json()["split"] == {"source": "x.csv", "missing": 0, "left_out": 1}
    crossed = replace(given, divisions=(Division("", {"train": (images[1][0][:-4],), "test": (images[2][0][:-4],)}),))
    kinds = {item.kind for item in audit(manifest, split=crossed).findings}
    assert kinds == {"near_duplicates", "picture_on_both_sides"}


def test_without_cases_a_split_is_checked_by_image_and_picture_alone() -> None:
    manifest = manifest_of(("a", "1", "benign", "a"), ("b", "1", "benign", "b"))
    given = GivenSplit("x", (Division("", {"train": ("a",), "test": ("b",)}),), 0, 0)
    found = audit(manifest, split=given)
    assert [leak.level for leak in found.leakage] == ["image", "identical pixels", "same picture"]
    assert "no case is known" in found.skipped[-1]


PUBLISHED = {1: (8, 1145, 2904), 2: (6, 674, 2403), 3: (7, 697, 2577), 4: (7, 836, 2698), 5: (6, 999, 3083)}


@pytest.mark.slow
@pytest.mark.shared
def test_the_published_folds_leak_as_counted(shared: Path) -> None:
    names = scan(shared / "breakhis" / "all_filenames.txt", settings=DataSettings()).manifest
    counted = {}
    for fold in PUBLISHED:
        found = audit(names, split=read_given_split(shared / "breakhis" / "folds" / f"dsfold{fold}.txt", names))
        leak = {leak.level: leak for leak in found.leakage}
        counted[fold] = (len(leak["case"].groups), len(leak["case"].image_ids), leak["case"].images)
        assert leak["patient"].groups == (("14-13412",) if fold in (1, 3, 5) else ())
        assert leak["image"].groups == ()
        assert found.has_conflicts
        assert "only names are known" in found.skipped[0]
    assert counted == PUBLISHED


@pytest.mark.shared
def test_planted_copies_are_found_among_real_images(shared: Path, tmp_path: Path) -> None:
    """Of 21 copies of 84 images at least 95 % are found, and no false pair among fields of the same slides."""
    folders = shared / "breakhis" / "BreaKHis_v1", shared / "breakhis" / "BreaKHis_v1_224px"
    images = [path for folder in folders for path in sorted(folder.rglob("SOB_*"))[::9] if path.is_file()]
    planted = copy_with_plants(images, tmp_path, every=4)
    near = {frozenset(item.image_ids): item for item in audit(scanned(tmp_path)).findings if "near_" in item.kind}
    pairs = [frozenset(pair) for pair in planted]
    assert sum(pair in near for pair in pairs) >= 0.95 * len(pairs)
    assert near.keys() <= set(pairs)
    relabelled = [pair for pair in pairs if len({name[:5] for name in pair}) == 2]
    assert len(relabelled) == 10
    assert all(near[pair].kind == "near_label_conflict" for pair in relabelled if pair in near)


@pytest.mark.shared
@pytest.mark.slow
def test_no_two_real_images_are_copies_and_their_dates_tell_the_label(shared: Path) -> None:
    found = audit(scan(shared / "breakhis", settings=DataSettings()).manifest)
    assert {item.kind for item in found.findings} == {"attribute_predicts_label"}
    assert any("entry date:modify" in item.message for item in found.findings)


@pytest.mark.slow
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
