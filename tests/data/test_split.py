from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lobule.config import DataSettings
from lobule.data.breakhis import parse_name
from lobule.data.manifest import Manifest
from lobule.data.split import Split, describe, split
from lobule.errors import LeakageError, SplitError
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPES

Tamper = Callable[[dict[str, Any]], None]


def manifest_of(cases: list[tuple[str, list[tuple[str, int]]]]) -> Manifest:
    """Return a manifest of (case, [(subtype, images), ...]); an `A` or `B` makes two patients of each case."""
    rows = [
        {
            "image_id": f"{case}-{subtype}-{index}",
            "path": f"{case}-{subtype}-{index}.png",
            "pixel_sha256": f"{case}{subtype}{index}",
            "width": 8,
            "height": 8,
            "label": LABEL_OF_SUBTYPE[subtype],
            "subtype": subtype,
            "patient_id": f"{case}{'AB'[index % 2]}",
            "case_id": case,
            "magnification": (40, 100, 200, 400)[index % 4],
        }
        for case, parts in cases
        for subtype, images in parts
        for index in range(images)
    ]
    return Manifest.from_rows(rows, root=Path())


def simple(benign: int, malignant: int, images: int = 4) -> Manifest:
    cases = [(f"b{index:02}", [(SUBTYPES[index % 4], images)]) for index in range(benign)]
    cases += [(f"m{index:02}", [(SUBTYPES[4 + index % 4], images)]) for index in range(malignant)]
    return manifest_of(cases)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Data sets that can be divided into three folds; some cases hold several subtypes, or both labels."""
    subtype = st.sampled_from(SUBTYPES)
    parts = st.lists(st.tuples(subtype, st.integers(1, 6)), min_size=1, max_size=3, unique_by=lambda part: part[0])
    needed = [[(draw(st.sampled_from(SUBTYPES[:4])), 2)] for _ in range(3)]
    needed += [[(draw(st.sampled_from(SUBTYPES[4:])), 3)] for _ in range(3)]
    contents = needed + draw(st.lists(parts, max_size=20))
    return manifest_of([(f"c{index:02}", content) for index, content in enumerate(contents)])


def groups_of(manifest: Manifest, column: str, images: tuple[str, ...]) -> set[str]:
    return set(manifest.select(images).frame[column])


@settings(max_examples=15, deadline=None)
@given(manifests(), st.sampled_from(["case", "patient", "image"]), st.integers(0, 99))
def test_every_image_is_in_one_part_and_no_group_in_two(manifest: Manifest, group: Any, seed: int) -> None:
    made = split(manifest, DataSettings(group=group, folds=3), seed=seed)
    for parts in ((made.train, made.validation), made.folds):
        images = [image for part in parts for image in part]
        assert sorted(images) == sorted(manifest.frame["image_id"])
        groups = [name for part in parts for name in groups_of(manifest, f"{group}_id", part)]
        assert len(groups) == len(set(groups))
        for part in parts:
            assert groups_of(manifest, "label", part) == {"benign", "malignant"}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(manifest=manifests(), random=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_has_no_say_and_a_file_round_trips(
    manifest: Manifest, random: Any, tmp_path: Path
) -> None:
    order = list(manifest.frame["image_id"])
    random.shuffle(order)
    made = split(manifest, DataSettings(folds=3), seed=4)
    assert split(manifest.select(order), DataSettings(folds=3), seed=4) == made
    made.write(tmp_path / "split.json", manifest)
    assert Split.read(tmp_path / "split.json", manifest.select(order)) == made


def test_the_file_has_the_keys_that_others_rely_on(tmp_path: Path) -> None:
    manifest = simple(5, 6)
    made = split(manifest, DataSettings(folds=3), seed=7, policy="identical pixels once")
    made.write(tmp_path / "split.json", manifest)
    document = json.loads((tmp_path / "split.json").read_text())
    assert list(document) == ["schema_version", "group_by", "seed", "policy", "dataset_sha256", "holdout", "folds"]
    assert document["dataset_sha256"] == manifest.digest
    assert (document["schema_version"], document["group_by"], document["seed"]) == (1, "case", 7)
    assert document["policy"] == "identical pixels once"
    assert sorted(document["holdout"]) == ["train", "validation"]
    assert [len(fold) for fold in document["folds"]] == [len(fold) for fold in made.folds]


def test_rows_are_looked_up_in_the_order_of_the_manifest() -> None:
    manifest = simple(6, 6)
    made = split(manifest, DataSettings(folds=3), seed=0)
    chosen = manifest.select([made.folds[2][0], made.folds[0][0], made.folds[2][1]])
    assert made.fold_of(chosen).tolist() == [2, 0, 2]
    assert made.is_validation(manifest).sum() == len(made.validation)
    assert set(manifest.frame["image_id"][made.is_validation(manifest)]) == set(made.validation)


def test_another_seed_gives_another_split_of_about_equal_quality() -> None:
    manifest = simple(12, 30, images=6)
    first, other = (split(manifest, DataSettings(), seed=seed) for seed in (0, 1))
    assert set(first.folds) != set(other.folds)
    for made in (first, other):
        sizes = [len(fold) for fold in made.folds]
        assert max(sizes) - min(sizes) <= 12


@pytest.mark.parametrize(
    ("benign", "malignant", "message"),
    [
        (
            12,
            3,
            "5 folds need at least 5 malignant cases; found benign cases 12, malignant cases 3."
            " Use --folds 3 or add cases.",
        ),
        (
            1,
            9,
            "5 folds need at least 5 benign cases; found benign cases 1, malignant cases 9."
            " Add cases: at least 2 of each label.",
        ),
        (
            2,
            4,
            "5 folds need at least 5 benign and malignant cases; found benign cases 2, malignant cases 4."
            " Use --folds 2 or add cases.",
        ),
    ],
)
def test_a_set_too_small_is_refused_with_what_is_missing(benign: int, malignant: int, message: str) -> None:
    with pytest.raises(SplitError) as caught:
        split(simple(benign, malignant), DataSettings(), seed=0)
    assert str(caught.value) == message


def move_one_image(document: dict[str, Any]) -> None:
    document["folds"][1].append(document["folds"][0].pop())


def repeat_an_image(document: dict[str, Any]) -> None:
    document["holdout"]["train"].append(document["holdout"]["validation"][0])


def drop_an_image(document: dict[str, Any]) -> None:
    document["folds"][0].pop()


def add_a_stranger(document: dict[str, Any]) -> None:
    document["folds"][0].append("nobody")


def other_data(document: dict[str, Any]) -> None:
    document["dataset_sha256"] = "0" * 64


def other_version(document: dict[str, Any]) -> None:
    document["schema_version"] = 2


def empty_fold(document: dict[str, Any]) -> None:
    document["folds"].append([])


def text_for_a_list(document: dict[str, Any]) -> None:
    document["folds"][0] = "abc"


@pytest.mark.parametrize(
    ("tamper", "error", "message"),
    [
        (move_one_image, LeakageError, r"case '\w+' stands in fold 1 and in fold 2"),
        (repeat_an_image, LeakageError, "again in validation"),
        (drop_an_image, SplitError, "1 images of the manifest are in none of fold 1"),
        (add_a_stranger, SplitError, "'nobody', which is not in the manifest"),
        (other_data, SplitError, "made for the data set with digest 000000000000"),
        (other_version, SplitError, "schema_version is 2"),
        (empty_fold, SplitError, "fold 4 is empty"),
        (text_for_a_list, SplitError, "expected a list of image ids"),
        (dict.clear, SplitError, "not a split file"),
    ],
)
def test_a_tampered_file_is_refused(tamper: Tamper, error: type[SplitError], message: str, tmp_path: Path) -> None:
    manifest = simple(6, 9)
    path = tmp_path / "split.json"
    split(manifest, DataSettings(folds=3), seed=0).write(path, manifest)
    document = json.loads(path.read_text())
    tamper(document)
    path.write_text(json.dumps(document))
    with pytest.raises(error, match=message):
        Split.read(path, manifest)


def test_a_leaking_split_cannot_be_written(tmp_path: Path) -> None:
    manifest = simple(6, 6)
    made = split(manifest, DataSettings(group="image", folds=3), seed=0)
    leaking = Split(**{**vars(made), "group_by": "case"})
    with pytest.raises(LeakageError):
        leaking.write(tmp_path / "split.json", manifest)
    assert not list(tmp_path.iterdir())
    made.write(tmp_path / "split.json", manifest)
    assert Split.read(tmp_path / "split.json", manifest).group_by == "image"


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_file_that_is_no_split_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(SplitError, match="lobule data split"):
        Split.read(tmp_path / "split.json", simple(2, 2))
    with pytest.raises(SplitError, match="cannot be read"):
        Split.read(tmp_path / "absent.json", simple(2, 2))


def test_what_is_left_of_the_images_stays_where_it_was() -> None:
    manifest = simple(6, 6)
    divided = split(manifest, DataSettings(folds=3), seed=0)
    left = manifest.select([name for name in manifest.frame["image_id"] if name != divided.folds[0][0]])
    kept = divided.kept(left, policy="one is gone")
    assert kept.folds == (divided.folds[0][1:], *divided.folds[1:])
    assert (kept.policy, kept.dataset_sha256) == ("one is gone", left.digest)
    with pytest.raises(SplitError, match="fold 1 is empty"):
        divided.kept(manifest.select([*divided.folds[1], *divided.folds[2]]), policy="")


def test_an_image_that_is_not_in_the_split_is_named() -> None:
    made = split(simple(4, 4), DataSettings(folds=2), seed=0)
    with pytest.raises(SplitError, match="b04"):
        made.fold_of(simple(5, 4))


def test_the_table_counts_what_is_in_the_split() -> None:
    manifest = simple(6, 9)
    table = describe(split(manifest, DataSettings(folds=3), seed=0), manifest)
    assert table["part"].tolist() == ["fold 1", "fold 2", "fold 3", "train", "validation"]
    assert table["images"][:3].sum() == table["images"][3:].sum() == len(manifest)
    assert table["benign_cases"][:3].tolist() == [2, 2, 2]
    assert table["malignant_cases"][:3].tolist() == [3, 3, 3]
    assert table["malignant_share"][:3].tolist() == pytest.approx([0.6] * 3)
    assert table["adenosis"][:3].sum() == 2


@pytest.fixture(scope="module")
def all_names(shared: Path) -> Manifest:
    names = (shared / "breakhis" / "all_filenames.txt").read_text().split()
    parsed = [parse_name(name) for name in names]
    rows = [{**asdict(name), "path": path} for name, path in zip(parsed, names, strict=True) if name is not None]
    return Manifest.from_rows(rows, root=Path())


@pytest.mark.shared
@pytest.mark.parametrize("seed", range(5))
def test_breakhis_is_divided_as_well_as_is_known_to_be_possible(all_names: Manifest, seed: int) -> None:
    table = describe(split(all_names, DataSettings(), seed=seed), all_names)
    folds, (train, validation) = table[:5], (table.iloc[5], table.iloc[6])
    assert len(all_names) == 7909
    assert folds["cases"].sum() == 70
    assert folds["benign_cases"].min() >= 3
    assert folds["malignant_cases"].min() >= 10
    assert folds["images"].between(1445, 1701).all()
    assert folds["malignant_share"].round(2).between(0.64, 0.75).all()
    assert folds["adenosis"].max() == 1  # two cases: never both away from training
    assert 0.18 < validation["images"] / 7909 < 0.22
    assert 0.64 < validation["malignant_share"] < 0.75
    assert validation["benign_cases"] >= 3
    assert (train[list(SUBTYPES)] >= 1).all()
    assert (validation[list(SUBTYPES)] >= 1).all()


@pytest.mark.shared
def test_siblings_of_a_case_stay_together(all_names: Manifest) -> None:
    made = split(all_names, DataSettings(), seed=0)
    fold = made.fold_of(all_names)
    siblings = all_names.frame["patient_id"].str.startswith("14-22549").to_numpy()
    assert all_names.frame["patient_id"][siblings].nunique() == 3
    assert len(np.unique(fold[siblings])) == 1
