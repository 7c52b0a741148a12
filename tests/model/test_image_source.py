from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lobule.data.images import decode
from lobule.errors import DataError
from lobule.features.views import VIEWS, apply_view
from lobule.model.image_source import open_images


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    generator = np.random.default_rng(0)
    files = [tmp_path / f"{index}.png" for index in range(3)]
    for file in files:
        Image.fromarray(generator.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(file)
    return files


@pytest.mark.parametrize("memory_limit", [0, 1 << 20])
def test_views_are_those_of_the_file_in_memory_or_not(paths: list[Path], memory_limit: int) -> None:
    source = open_images(paths, size=16, memory_limit=memory_limit)
    assert (source.pixels is None) == (memory_limit == 0)
    assert len(source) == 3
    for view in VIEWS:
        expected = np.stack([apply_view(decode(paths[row]), view, size=16) for row in (2, 0)])
        np.testing.assert_array_equal(source.take(np.array([2, 0]), view), expected, err_msg=view)


def test_a_file_that_can_no_longer_be_read_is_named(paths: list[Path]) -> None:
    paths[1].write_bytes(b"")
    with pytest.raises(DataError, match=r"1\.png: the file is empty"):
        open_images(paths, size=16)
    paths[1].unlink()
    with pytest.raises(DataError, match=r"1\.png: .*scan it again"):
        open_images(paths, size=16)


def test_progress_counts_images(paths: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    open_images(paths, size=16, progress=lambda stage, done, total: told.append((done, total)))
    assert told == [(3, 3)]
