"""Disks that are full or refuse to be written: the file is named, what is finished stays, the rest comes later."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lobule.config import FeatureSettings
from lobule.data.manifest import Manifest
from lobule.data.phantom import PhantomSummary
from lobule.errors import RunError, StorageError
from lobule.features import extract as extraction
from lobule.inference.predictor import Predictor
from lobule.pipeline import Run, train
from lobule.provenance import write_atomically
from tests.cli.conftest import Lobule, lobule  # noqa: F401 - a fixture
from tests.faults.conftest import Disk, Material
from tests.runs import QUICK, content_of, litter_in
from tests.tiny_backbone import SETTINGS, tiny_backbone

Mount = Callable[[str], Disk]


def _manifest(material: Material) -> Manifest:
    return Manifest.read(material.manifest, root=material.images.parent)


def test_a_feature_store_on_a_full_disk_keeps_its_shards(
    disk: Mount, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, manifest = FeatureSettings.model_validate(SETTINGS), _manifest(material)
    monkeypatch.setattr(extraction, "_IMAGES_A_SHARD", 3)
    small = disk("size=64k")
    material.cache(small.path / "cache")
    with tiny_backbone():
        monkeypatch.setenv("LOBULE_CACHE", str(material.cache(tmp_path / "other")))
        expected = extraction.extract(manifest, settings, seed=0)
        monkeypatch.setenv("LOBULE_CACHE", str(small.path / "cache"))
        with pytest.raises(RunError, match=r"cache/features/.*: cannot be written \(No space left.*LOBULE_CACHE"):
            extraction.extract(manifest, settings, seed=0)
        assert list(small.path.rglob("*.tmp")) == []
        small.remount("size=4m")
        totals: list[int] = []
        resumed = extraction.extract(manifest, settings, seed=0, progress=lambda _, __, total: totals.append(total))
    assert 1 < totals[-1] < 2 * len(manifest)
    np.testing.assert_array_equal(resumed.values, expected.values)


def test_a_prediction_on_a_full_disk_keeps_its_answers(
    disk: Mount,
    material: Material,
    tmp_path: Path,
    lobule: Lobule,  # noqa: F811
) -> None:
    words = ["predict", material.images, "--model", material.model]
    assert lobule(*words, "--out", tmp_path / "p.csv", "--heatmaps", tmp_path / "maps").code == 0
    small = disk("size=200k")
    out = ["--out", small.path / "p.csv", "--heatmaps", small.path / "maps"]
    full = lobule(*words, *out)
    assert full.code == 1
    (sentence,) = [line for line in full.err.splitlines() if line.startswith("Error")]
    assert str(small.path) in sentence
    assert "The disk is full: free some space" in sentence
    assert sentence.endswith("What was finished is kept: add --resume.")
    assert not (small.path / "p.csv").exists()
    assert list(small.path.rglob("*.tmp")) == []
    small.remount("size=8m")
    resumed = lobule(*words, *out, "--resume", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["n_resumed"] > 0
    assert (small.path / "p.csv").read_bytes() == (tmp_path / "p.csv").read_bytes()
    assert {path.name for path in (small.path / "maps").iterdir()} == {p.name for p in (tmp_path / "maps").iterdir()}


@pytest.mark.slow
@pytest.mark.keras
def test_a_training_on_disks_that_are_too_small_ends_well_on_a_large_one(
    disk: Mount, finished: Run, phantom: PhantomSummary
) -> None:
    size = sum(path.stat().st_size for path in finished.folder.rglob("*") if path.is_file())
    small = disk("size=16k")
    for share in (0, 0.2, 0.7):
        small.remount(f"size={16384 + int(share * size)}")
        with tiny_backbone(), pytest.raises(StorageError, match=r"disk0/run.*The disk is full") as error:
            train(phantom.folder, small.path / "run", config=QUICK, command="lobule train")
        assert "\n" not in str(error.value)
    small.remount(f"size={4 * size}")
    with tiny_backbone():
        run = train(phantom.folder, small.path / "run", config=QUICK, command="lobule train")
    assert content_of(run.folder) == content_of(finished.folder)
    assert litter_in(run.folder) == []


@pytest.mark.parametrize("command", ["predict", "train"])
def test_a_read_only_place_is_told_before_the_work(
    command: str,
    disk: Mount,
    material: Material,
    lobule: Lobule,  # noqa: F811
) -> None:
    place = disk("size=64k")
    (place.path / "run").mkdir()
    place.remount("ro")
    out = place.path / "run" / "p.csv" if command == "predict" else place.path / "run"
    shown = lobule(command, material.images, "--out", out)
    assert (shown.code, shown.out) == (1, "")
    assert f"--out {out}: you may not write to {place.path}" in shown.err


@pytest.mark.slow
@pytest.mark.keras
def test_a_run_folder_that_turns_read_only_in_the_middle(disk: Mount, finished: Run, phantom: PhantomSummary) -> None:
    place = disk("size=64m")
    before: dict[Path, bytes] = {}

    def turn(stage: str, done: int, total: int) -> None:
        if stage == "evaluate" and not before:
            before.update({path: path.read_bytes() for path in place.path.rglob("*") if path.is_file()})
            place.remount("ro")

    run = place.path / "run"
    with tiny_backbone(), pytest.raises(StorageError, match=r"disk0/run/.*Read-only.*name another with --out"):
        train(phantom.folder, run, config=QUICK, command="lobule train", progress=turn)
    assert {path: path.read_bytes() for path in place.path.rglob("*") if path.is_file()} == before
    place.remount("rw")
    with tiny_backbone():
        train(phantom.folder, run, config=QUICK, command="lobule train")
    assert content_of(run) == content_of(finished.folder)
    shutil.rmtree(run)


def test_what_refuses_a_file_is_both_an_error_of_lobule_and_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/x\.csv: (File exists|Not a directory)") as error:
        write_atomically(tmp_path / "file" / "x.csv", "")
    assert isinstance(error.value, OSError)
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(_: int) -> None:
        raise full

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StorageError, match=r"x\.csv: No space left on device\. The disk is full"):
        write_atomically(tmp_path / "x.csv", "")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_bundle_of_the_tests_can_answer(material: Material) -> None:
    assert len(Predictor(material.model).predict(sorted(material.images.iterdir())[0])) == 1
