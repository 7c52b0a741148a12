from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from lobule.features.parity import BOUNDS, Parity, digest_of_images, measured_parities, parity_of


def _parity(plain: list[list[float]], other: list[list[float]]) -> Parity:
    given = [np.array(rows, np.float32) for rows in (plain, other)]
    return parity_of(*given, backbone="tiny", precision="int8")


def test_the_worst_image_decides() -> None:
    parity = _parity([[1, 0], [3, 4], [0, 2]], [[2, 0], [3, 4], [1, 1]])
    assert parity.lowest_cosine == pytest.approx(math.sqrt(0.5))
    assert (parity.images, parity.is_kept) == (3, False)
    assert str(parity) == "tiny in int8: lowest cosine 0.70711 of 3 images, needed 0.99"


def test_the_bounds_are_those_that_are_promised() -> None:
    assert dict(BOUNDS) == {"bf16": 0.999, "int8": 0.99}
    assert Parity("tiny", "int8", 5, 0.99).is_kept
    assert not Parity("tiny", "bf16", 5, 0.9989).is_kept


def test_vectors_without_a_length_agree_only_with_themselves() -> None:
    assert _parity([[0, 0]], [[0, 0]]).is_kept
    assert not _parity([[0, 0]], [[1, 0]]).is_kept


def test_what_is_not_finite_is_not_kept() -> None:
    assert not _parity([[1, 0], [1, 0]], [[1, 0], [math.nan, 0]]).is_kept


def test_what_was_measured_is_read_back_and_what_is_damaged_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOBULE_CACHE", str(tmp_path))
    parity = Parity("tiny", "int8", 5, 0.995, calibrated_with=20)
    assert measured_parities() == []
    parity.write("ab")
    assert Parity.read("ab") == parity
    assert Parity.read("cd") is None
    (tmp_path / "parities" / "cd.json").write_text('{"backbone": 1}')
    assert measured_parities() == [parity]


def test_the_digest_follows_shape_and_pixels() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    changed = images.copy()
    changed[1, 2, 3, 0] = 1
    others = [changed, images[:1], images.reshape(1, 8, 4, 3)]
    assert len({digest_of_images(each) for each in (images, *others)}) == 4
    assert digest_of_images(images) == digest_of_images(images.copy())
