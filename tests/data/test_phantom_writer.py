from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lobule.config import DataSettings
from lobule.data.breakhis import parse_name
from lobule.data.phantom import PhantomSummary, write_phantom
from lobule.data.scan import scan
from lobule.data.split import split
from lobule.errors import ConfigError, DataError
from lobule.taxonomy import LABELS, MAGNIFICATIONS, SUBTYPES

SIZE = (92, 140)


def images_of(summary: PhantomSummary) -> list[Path]:
    return sorted(summary.images.rglob("*.png"))


def content_of(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_names_and_folders_follow_breakhis(phantom: PhantomSummary) -> None:
    paths = images_of(phantom)
    assert phantom.n_images == len(paths) == 64
    for path in paths:
        name = parse_name(path.name)
        assert name is not None
        kind, code = path.name.split("_")[1], path.name.split("_")[2].split("-")[0]
        assert path.relative_to(phantom.images).parts[:-1] == (
            "histology_slides",
            "breast",
            name.label,
            "SOB",
            name.subtype,
            f"SOB_{kind}_{code}_{name.patient_id}",
            f"{name.magnification}X",
        )
        assert int(name.case_id.removeprefix("14-")) > 90000


def test_every_subtype_has_two_cases_at_every_magnification(phantom: PhantomSummary) -> None:
    names = [parse_name(path.name) for path in images_of(phantom)]
    cases = Counter(subtype for subtype, _ in {(name.subtype, name.case_id) for name in names if name})
    assert cases == dict.fromkeys(SUBTYPES, 2)
    assert phantom.n_cases == 16
    magnifications = Counter(name.magnification for name in names if name)
    assert magnifications == dict.fromkeys(MAGNIFICATIONS, 16)


def test_one_case_lies_in_two_sibling_folders(tmp_path: Path) -> None:
    summary = write_phantom(tmp_path, cases=2, images_per_case=8, size=(64, 64))
    names = [name for path in images_of(summary) if (name := parse_name(path.name))]
    patients = {name.patient_id for name in names if name.case_id == "14-90001"}
    assert patients == {"14-90001AB", "14-90001CD"}
    assert len({name.case_id for name in names}) == 2


def test_the_data_room_reads_it_and_ignores_the_masks(phantom: PhantomSummary) -> None:
    found = scan(phantom.folder, settings=DataSettings(), cache=False)
    assert (len(found.manifest), found.failures) == (64, ())
    assert set(found.manifest.frame["label"]) == set(LABELS)
    assert found.manifest.frame["pixel_sha256"].is_unique
    assert len(split(found.manifest, DataSettings(), seed=0).folds) == 5


def test_there_is_a_mask_for_each_malignant_image_and_no_other(phantom: PhantomSummary) -> None:
    malignant = {path.relative_to(phantom.images) for path in images_of(phantom) if "malignant" in path.parts}
    masks = {path.relative_to(phantom.masks): path for path in phantom.masks.rglob("*.npz")}
    assert {path.with_suffix(".npz") for path in malignant} == masks.keys()
    assert phantom.n_masks == len(masks) == 32
    shares = []
    for path in masks.values():
        with np.load(path) as content:
            mask = content["malignant"]
        assert (mask.shape, mask.dtype) == (SIZE, np.dtype(bool))
        shares.append(mask.mean())
    assert min(shares) > 0.02
    assert np.mean(shares) < 0.85
    assert np.mean([0.05 < share < 0.95 for share in shares]) > 0.7


def test_it_says_everywhere_that_it_is_synthetic(phantom: PhantomSummary) -> None:
    for path in images_of(phantom):
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((SIZE[1], SIZE[0]), "RGB")
            assert image.info == {"Description": "synthetic tissue drawn by Lobule, not a patient"}
    assert "No patient" in (phantom.folder / "README.txt").read_text()


def test_stains_differ_between_cases_more_than_within(phantom: PhantomSummary) -> None:
    colours: dict[str, list[np.ndarray]] = {}
    for path in images_of(phantom):
        name = parse_name(path.name)
        assert name is not None
        with Image.open(path) as image:
            pixels = np.asarray(image, dtype=float).reshape(-1, 3)
        # The upper end is the glass and the camera, whatever the tissue.
        colours.setdefault(name.case_id, []).append(np.percentile(pixels, 99, axis=0))
    within = np.mean([np.std(values, axis=0) for values in colours.values()])
    between = np.std([np.mean(values, axis=0) for values in colours.values()], axis=0).mean()
    assert between > within


def test_the_same_arguments_draw_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "again", "other")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        write_phantom(folder, cases=2, images_per_case=2, size=(64, 80), seed=seed)
    first, again, other = (content_of(folder) for folder in folders)
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[path] != other[path] for path in first if path.suffix == ".png")


def test_what_is_missing_is_drawn_again_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    summary = write_phantom(tmp_path, cases=2, images_per_case=2, size=(64, 80))
    before = content_of(tmp_path)
    kept, lost = images_of(summary)[0], images_of(summary)[-1]
    stamp = kept.stat().st_mtime_ns
    lost.unlink()
    assert write_phantom(tmp_path, cases=2, images_per_case=2, size=(64, 80)) == summary
    assert content_of(tmp_path) == before
    assert kept.stat().st_mtime_ns == stamp


def test_a_folder_with_other_images_is_refused(tmp_path: Path) -> None:
    write_phantom(tmp_path / "phantom", cases=2, images_per_case=1, size=(64, 80))
    with pytest.raises(DataError, match="already holds other images"):
        write_phantom(tmp_path / "phantom", cases=2, images_per_case=1, size=(64, 80), seed=1)
    (tmp_path / "real" / "BreaKHis_v1").mkdir(parents=True)
    with pytest.raises(DataError, match="already holds other images"):
        write_phantom(tmp_path / "real")


def test_progress_counts_images(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write_phantom(
        tmp_path, cases=2, images_per_case=1, size=(64, 80), progress=lambda *arguments: told.append(arguments)
    )
    assert told == [("phantom", 1, 2), ("phantom", 2, 2)]


@pytest.mark.parametrize(
    ("cases", "images_per_case", "size", "name"),
    [
        (1, 1, (64, 64), "cases"),
        (2, 0, (64, 64), "images_per_case"),
        (2, 1, (32, 64), "size"),
        (2, 1, (90, 80), "size"),
    ],
)
def test_arguments_out_of_range_are_refused(
    cases: int, images_per_case: int, size: tuple[int, int], name: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: allowed are"):
        write_phantom(tmp_path, cases=cases, images_per_case=images_per_case, size=size)
    assert not list(tmp_path.iterdir())
