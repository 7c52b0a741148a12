from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobule.config import DataSettings
from lobule.data.given_split import Division, GivenSplit, read_given_split
from lobule.data.split import split
from lobule.errors import SplitError
from tests.data.manifests import named, scanned
from tests.data.pictures import put

A, B, C, D = (f"SOB_B_A-14-1{letter}-40-00{number}" for number, letter in enumerate("ABCD"))
MANIFEST = named(*(f"{name}.png" for name in (A, B, C, D)))


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def parts_of(given: GivenSplit) -> dict[str, tuple[str, ...]]:
    (division,) = given.divisions
    return division.parts


def test_published_fold_files(tmp_path: Path) -> None:
    lines = f"{A}.png|40|1|train\n{B}.png|40|1|test\n\n{C}.tif|40|1|train\nother.png|40|1|test\n"
    found = read_given_split(written(tmp_path, "dsfold1.txt", lines), MANIFEST)
    assert found == GivenSplit("dsfold1.txt", (Division("", {"train": (A, C), "test": (B,)}),), 1, 1)


def test_several_folds_in_one_file_are_several_divisions(tmp_path: Path) -> None:
    lines = f"{A}.png|40|1|train\n{B}.png|40|1|test\n{A}.png|40|2|test\n{B}.png|40|2|train\n"
    found = read_given_split(written(tmp_path, "folds.txt", lines), MANIFEST)
    assert [division.name for division in found.divisions] == ["fold 1", "fold 2"]
    assert found.divisions[1].parts == {"train": (B,), "test": (A,)}


@pytest.mark.parametrize(
    "table",
    [
        f"filename,split\n{A}.png,train\n{B}.png,Training\n{C}.png,val\n{D}.png,TEST\n",
        f"\ufeffFile Name;x;Subset\n{A};1;train\n{B};1;train\n{C};1;valid\n{D};1;test\n",
        f"set\timage_path\ntrain\tsome/where/{A}.png\ntrain\t{B}.jpg\ndev\t{C}\ntest\tD:\\data\\{D}.png\n",
    ],
)
def test_tables(tmp_path: Path, table: str) -> None:
    found = read_given_split(written(tmp_path, "split.csv", table), MANIFEST)
    assert parts_of(found) == {"train": (A, B), "validation": (C,), "test": (D,)}
    assert (found.missing, found.left_out) == (0, 0)


def test_a_table_of_folds_holds_each_out_against_the_others(tmp_path: Path) -> None:
    rows = f"path,fold\n{A}.png,10\n{B}.png,2\n{C}.png,fold 10\n{D}.png,\n"
    found = read_given_split(written(tmp_path, "split.csv", rows), MANIFEST)
    assert found.divisions == (Division("", {"fold 2": (B,), "fold 10": (A, C)}, is_crossed=True),)
    assert found.left_out == 1


def test_a_table_with_folds_and_subsets_divides_once_a_fold(tmp_path: Path) -> None:
    rows = f"fold,mag,grp,filename\n1,40,train,{A}.png\n1,40,test,{B}.png\n2,40,train,{B}.png\n2,40,test,{A}.png\n"
    found = read_given_split(written(tmp_path, "Folds.csv", rows), MANIFEST)
    assert [(division.name, division.parts["test"]) for division in found.divisions] == [
        ("fold 1", (B,)),
        ("fold 2", (A,)),
    ]


def test_folders_name_their_images_by_where_they_lie(tmp_path: Path) -> None:
    paths = ["Train/benign/1.png", "Train/benign/2.png", "val/benign/1.png", "test/malignant/1.png"]
    for seed, path in enumerate(paths):
        put(tmp_path / path, seed=seed)
    assert parts_of(read_given_split(tmp_path, scanned(tmp_path))) == {
        "train": ("Train/benign/1", "2"),
        "validation": ("val/benign/1",),
        "test": ("test/malignant/1",),
    }


def test_lobules_own_split(tmp_path: Path) -> None:
    names = [f"SOB_{kind}-14-{case}-40-001.png" for case, kind in enumerate(["B_A", "M_DC"] * 6)]
    manifest = named(*names)
    own = split(manifest, DataSettings(folds=3), seed=0)
    own.write(tmp_path / "split.json", manifest)
    holdout, folds = read_given_split(tmp_path / "split.json", manifest).divisions
    assert holdout == Division("holdout", {"train": own.train, "validation": own.validation})
    assert folds.is_crossed
    assert tuple(folds.parts.values()) == own.folds


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("x.txt", f"{A}.png\n", r"line 1: expected name\|magnification\|fold\|part"),
        ("x.txt", f"{A}.png|40|1|maybe\n", "'maybe' is no subset; allowed: train"),
        ("x.txt", f"{A}.png|40|1|7\n", "'7' is no subset"),
        ("x.txt", "", "none of its 0 entries"),
        ("x.txt", "other.png|40|1|train\n", "none of its 1 entries, such as 'other.png'"),
        ("x.txt", f"{A}.png|40|1|train\n", "all its images are in one part, train"),
        ("x.csv", "", "no column of images; it has none"),
        ("x.csv", f"file\n{A}\n", "no column of subsets; it has file. Call one subset, split"),
        ("x.csv", f"file,split\n{A},train\n{B},seen\n", "row 3: 'seen' is no subset; .* or the number of a fold"),
        ("x.json", "{}", "not a split file"),
        ("x.yaml", "", "a file of this kind is no split"),
    ],
)
def test_what_is_no_split_is_refused_with_the_reason(tmp_path: Path, name: str, text: str, reason: str) -> None:
    with pytest.raises(SplitError, match=reason):
        read_given_split(written(tmp_path, name, text), MANIFEST)


def test_missing_and_undecodable_files_and_plain_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="no such file or folder"):
        read_given_split(tmp_path / "nowhere.csv", MANIFEST)
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SplitError, match="cannot be read as text"):
        read_given_split(tmp_path / "x.csv", MANIFEST)
    with pytest.raises(SplitError, match="subfolders of train, val and test"):
        read_given_split(tmp_path, MANIFEST)


def test_a_name_that_two_images_have_is_refused(tmp_path: Path) -> None:
    for seed, path in enumerate(["data/benign/1.png", "data/malignant/1.png"]):
        put(tmp_path / path, seed=seed)
    manifest = scanned(tmp_path / "data")
    with pytest.raises(SplitError, match=r"'1\.png' is the name of 2 images"):
        read_given_split(written(tmp_path, "x.csv", "file,split\n1.png,train\n"), manifest)
    table = written(tmp_path, "x.csv", "file,split\nbenign/1.png,train\nmalignant/1.png,test\n")
    assert parts_of(read_given_split(table, manifest)) == {"train": ("benign/1",), "test": ("malignant/1",)}


@given(st.dictionaries(st.sampled_from((A, B, C, D)), st.sampled_from(("train", "validation", "test")), min_size=2))
def test_every_image_comes_back_in_its_part(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, str]) -> None:
    if len(set(parts.values())) < 2:
        return
    table = "".join(f"{image}.png,{part}\n" for image, part in parts.items())
    path = written(tmp_path_factory.mktemp("split"), "x.csv", f"name,part\n{table}")
    found = parts_of(read_given_split(path, MANIFEST))
    assert {image: part for part, images in found.items() for image in images} == parts
    assert list(found) == [part for part in ("train", "validation", "test") if part in found]
