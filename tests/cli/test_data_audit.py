from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lobule.cli.app import main
from tests.data.pictures import tissue


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """Return a list of three names, two of them of one case."""
    listed = ("SOB_B_A-14-22549AB-40-001.png", "SOB_B_A-14-22549CD-40-001.png", "SOB_M_DC-14-2523-40-001.png")
    (tmp_path / "names.txt").write_text("\n".join(listed))
    return tmp_path / "names.txt"


def test_a_leaking_split_of_names_ends_with_3_and_is_written_down(
    names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = "train", "test", "train"
    lines = [f"{name}|40|1|{side}" for name, side in zip(names.read_text().splitlines(), sides, strict=True)]
    (tmp_path / "fold.txt").write_text("\n".join(lines))
    out = tmp_path / "audit.json"
    assert run("data", "audit", names, "--split", tmp_path / "fold.txt", "--out", out) == 3
    text = capsys.readouterr().out
    assert "test: 1 of 1 images (100.0%) are of 1 case also in train: 14-22549" in text
    document = json.loads(out.read_text())
    leak = {leak["level"]: leak for leak in document["leakage"]}
    assert (leak["patient"]["groups"], leak["case"]["groups"]) == ([], ["14-22549"])
    assert (len(leak["case"]["image_ids"]), leak["case"]["images"], leak["case"]["share"]) == (1, 1, 1.0)
    assert document["has_conflicts"] is True


def test_an_honest_split_ends_with_0(names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = "train", "train", "test"
    rows = [f"{name},{side}" for name, side in zip(names.read_text().splitlines(), sides, strict=True)]
    (tmp_path / "mine.csv").write_text("\n".join(["filename,split", *rows]))
    assert run("data", "audit", names, "--split", tmp_path / "mine.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["split"]["source"] == "mine.csv"


def test_a_split_that_cannot_be_read_ends_with_1(names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", "audit", names, "--split", names) == 1
    assert "name|magnification|fold|part" in capsys.readouterr().err


def test_a_relabelled_copy_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = Image.fromarray(tissue(5))
    for name in ("train/benign/a.png", "test/malignant/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        image.save(tmp_path / name)
    assert run("data", "audit", tmp_path, "--split", tmp_path) == 3
    text = capsys.readouterr().out
    assert "near_label_conflict: 1 (policy: drop_all)" in text
    assert "picture_on_both_sides: 1 (policy: merge)" in text
