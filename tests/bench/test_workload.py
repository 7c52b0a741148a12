from __future__ import annotations

from pathlib import Path

import numpy as np

from lobule.bench.setup import Setup
from lobule.bench.workload import prepare, squashed_arrays, workload_of
from lobule.data.phantom import PhantomSummary


def test_half_of_what_is_drawn_is_squashed(tmp_path: Path) -> None:
    workload = workload_of(Setup(quick=True), tmp_path, images=24)
    frame = workload.manifest.frame
    assert workload.description == "24 images: 12 140x92 PNG, 12 224x224 PNG; drawn by lobule.data.phantom, seed 0"
    assert frame["pixel_sha256"].nunique() == 24
    assert set(frame["label"]) == {"benign", "malignant"}
    assert workload.largest_kind == "224x224 PNG"
    assert workload.largest.is_file()


def test_images_of_ones_own_are_taken_at_equal_distances(phantom: PhantomSummary, tmp_path: Path) -> None:
    workload = workload_of(Setup(data=phantom.folder), tmp_path, images=9)
    assert len(workload.manifest) == 9
    assert workload.description == f"9 images: 9 140x92 PNG; from {phantom.folder.name}"
    assert workload.manifest.frame["case_id"].nunique() > 4
    assert len(workload_of(Setup(data=phantom.folder), tmp_path, images=1000).manifest) == phantom.n_images


def test_arrays_are_the_files_squashed(phantom: PhantomSummary, tmp_path: Path) -> None:
    paths = workload_of(Setup(data=phantom.folder), tmp_path, images=3).manifest.paths
    arrays = squashed_arrays(paths, 32)
    assert arrays.shape == (3, 32, 32, 3)
    assert np.array_equal(arrays[1], prepare(paths[1], 32))
