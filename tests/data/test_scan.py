from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lobule.config import DataSettings
from lobule.data import measure
from lobule.data.images import inspect, pixel_sha256
from lobule.data.manifest import Manifest
from lobule.data.scan import ScanResult, scan
from lobule.errors import DataError
from tests.data.pictures import encoded, pixels, png_of, put

NAME = "SOB_B_A-14-22549AB-100-{:03}.png"


def scanned(source: Path, **settings: Any) -> ScanResult:
    return scan(source, settings=DataSettings.model_validate(settings))


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path) -> None:
        raise AssertionError(f"{source} was opened")

    monkeypatch.setattr(measure, "inspect", refuse)


def test_a_breakhis_tree(tmp_path: Path) -> None:
    put(tmp_path / "any" / NAME.format(1), encoded(pixels(width=700, height=460)))
    put(tmp_path / "malignant" / NAME.format(2), seed=2)
    result = scanned(tmp_path)
    first, second = result.manifest.frame.to_dict("records")
    assert first == {
        "image_id": "SOB_B_A-14-22549AB-100-001",
        "path": f"any/{NAME.format(1)}",
        "pixel_sha256": pixel_sha256(pixels(width=700, height=460)),
        "width": 700,
        "height": 460,
        "label": "benign",
        "subtype": "adenosis",
        "patient_id": "14-22549AB",
        "case_id": "14-22549",
        "magnification": 100,
        "mpp": 0.20,
    }
    assert (second["label"], second["width"]) == ("benign", 12)
    assert pd.isna(second["mpp"])
    assert (result.failures, result.ignored) == ((), 0)


def test_class_folders(tmp_path: Path) -> None:
    for seed, path in enumerate(["benign/40X/k1_1.png", "malignant/100x/k2_1.png", "malignant/100x/k2_2.png"]):
        put(tmp_path / path, seed=seed)
    with pytest.raises(DataError, match=r"--case-pattern.*case_id.*--group image"):
        scanned(tmp_path)
    frame = scanned(tmp_path, case_pattern=r"(k\d)_").manifest.frame
    assert frame["case_id"].tolist() == ["k1", "k2", "k2"]
    assert frame["magnification"].tolist() == [40, 100, 100]
    assert frame["subtype"].tolist() == ["", "", ""]
    by_image = scanned(tmp_path, group="image").manifest.frame
    assert by_image["case_id"].tolist() == by_image["image_id"].tolist() == ["k1_1", "k2_1", "k2_2"]


def test_one_bad_file_of_each_kind_fails_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / NAME.format(1))
    bad = {
        NAME.format(2): (b"", "empty"),
        NAME.format(3): (b"text" * 50, "not an image"),
        NAME.format(4): (encoded(pixels(width=64, height=64))[:900], "cannot be decoded"),
        NAME.format(5): (png_of(60_000, 60_000, depth=8, colour=0, rows=b""), "more than"),
        NAME.format(6): (png_of(10_000, 9_000, depth=8, colour=0, rows=b""), "more than"),
    }
    for name, (content, _) in bad.items():
        put(tmp_path / name, content)
    (tmp_path / NAME.format(7)).symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / NAME.format(8))
    result = scanned(tmp_path)
    assert result.manifest.frame["path"].tolist() == [NAME.format(1)]
    reasons = {failure.path: failure.reason for failure in result.failures}
    assert list(reasons) == [NAME.format(number) for number in range(2, 9)]
    for name, (_, reason) in bad.items():
        assert reason in reasons[name]
    assert reasons[NAME.format(7)] == "no such file or directory"
    assert reasons[NAME.format(8)] == "not a regular file"


def test_the_same_name_twice_gets_two_ids(tmp_path: Path) -> None:
    for seed, folder in enumerate(["png", "small"]):
        put(tmp_path / folder / NAME.format(1), seed=seed)
    stem = NAME.format(1).removesuffix(".png")
    assert scanned(tmp_path).manifest.frame["image_id"].tolist() == [f"png/{stem}", f"small/{stem}"]


def test_a_second_scan_opens_nothing_that_is_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        put(tmp_path / NAME.format(number), seed=number)
    first = scanned(tmp_path).manifest
    opened: list[Path] = []

    def recording(path: Path) -> Any:
        opened.append(path)
        return inspect(path)

    monkeypatch.setattr(measure, "inspect", recording)
    assert scanned(tmp_path).manifest.digest == first.digest
    assert opened == []
    put(tmp_path / NAME.format(1), seed=9)
    os.utime(tmp_path / NAME.format(1), ns=(1, 1))
    assert scanned(tmp_path).manifest.digest != first.digest
    assert opened == [tmp_path / NAME.format(1)]
    scan(tmp_path, settings=DataSettings(), cache=False)
    assert len(opened) == 4


def test_progress_counts_every_image(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / NAME.format(number))
    seen: list[tuple[str, int, int]] = []
    scan(tmp_path, settings=DataSettings(), progress=lambda *step: seen.append(step))
    assert seen == [("scan", 1, 3), ("scan", 2, 3), ("scan", 3, 3)]


def test_a_manifest_describes_the_data_again(tmp_path: Path) -> None:
    for number in range(2):
        put(tmp_path / "data" / NAME.format(number), seed=number)
    manifest = scanned(tmp_path / "data").manifest
    manifest.write(tmp_path / "data" / "manifest.csv")
    again = scanned(tmp_path / "data" / "manifest.csv").manifest
    pd.testing.assert_frame_equal(again.frame, manifest.frame)
    assert again.paths == manifest.paths
    manifest.write(tmp_path / "manifest.csv")
    elsewhere = scan(tmp_path / "manifest.csv", settings=DataSettings(root=str(tmp_path / "data")))
    assert elsewhere.manifest.paths == manifest.paths


def test_a_manifest_notices_changed_pixels(tmp_path: Path) -> None:
    for number in range(2):
        put(tmp_path / NAME.format(number), seed=number)
    scanned(tmp_path).manifest.write(tmp_path / "manifest.csv")
    put(tmp_path / NAME.format(0), seed=7)
    result = scanned(tmp_path / "manifest.csv")
    assert len(result.manifest) == 1
    assert "scan the data again" in result.failures[0].reason


def test_a_manifest_without_its_images_is_refused(tmp_path: Path) -> None:
    image = put(tmp_path / NAME.format(0))
    scanned(tmp_path).manifest.write(tmp_path / "manifest.csv")
    image.unlink()
    with pytest.raises(DataError, match=r"none of 1 images can be used.*no such file"):
        scanned(tmp_path / "manifest.csv")


def test_a_label_without_subtype_stays_without(tmp_path: Path) -> None:
    put(tmp_path / NAME.format(0))
    frame = scanned(tmp_path).manifest.frame.assign(subtype="")
    Manifest(frame, tmp_path).write(tmp_path / "manifest.csv")
    assert scanned(tmp_path / "manifest.csv").manifest.frame["subtype"].tolist() == [""]


def test_names_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_decoding(monkeypatch)
    (tmp_path / "names.txt").write_text(f"{NAME.format(1)}\n{NAME.format(2)}\n")
    manifest = scanned(tmp_path / "names.txt").manifest
    assert manifest.frame["pixel_sha256"].tolist() == ["", ""]
    assert manifest.frame["width"].tolist() == [0, 0]
    manifest.write(tmp_path / "manifest.csv")
    assert scanned(tmp_path / "manifest.csv").manifest.digest == manifest.digest


def test_paths_that_cannot_be_fail_alone(tmp_path: Path) -> None:
    put(tmp_path / "good.png")
    (tmp_path / "table.csv").write_text(f"path,label\ngood.png,benign\n{300 * 'x'}.png,benign\na\0.png,benign\n")
    result = scanned(tmp_path / "table.csv", group="image")
    assert len(result.manifest) == 1
    assert sorted(failure.reason for failure in result.failures) == ["embedded null byte", "file name too long"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, "No such file or directory; name a folder"),
        ("slide.svs", b"x", "no data set; name a folder"),
        ("names.txt", b"a.png\n", "none of 1 images can be used, the first is a.png"),
        ("folder/notes.md", b"x", r"no image found \(1 other files\)"),
        ("folder/a.png", b"x", "no class"),
        ("folder/benign/a.png", b"x", "--case-pattern"),
        ("folder/" + NAME.format(1), b"x", "1 x not an image"),
    ],
)
def test_a_source_without_images_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        put(tmp_path / name, content)
    with pytest.raises(DataError, match=message):
        scanned(tmp_path / name.split("/")[0])


@pytest.mark.slow
@pytest.mark.shared
def test_the_real_sample(shared: Path) -> None:
    result = scanned(shared / "breakhis")
    frame = result.manifest.frame
    assert (len(frame), frame["case_id"].nunique(), result.failures) == (775, 51, ())
    assert frame[frame["label"] == "benign"]["case_id"].nunique() == 12
    assert frame["mpp"].notna().sum() == 151
    assert frame[frame["width"] == 224]["mpp"].isna().all()
    assert not frame["pixel_sha256"].duplicated().any()
    start = time.perf_counter()
    again = scanned(shared / "breakhis")
    assert time.perf_counter() - start < 1
    assert again.manifest.digest == result.manifest.digest
