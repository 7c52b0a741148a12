from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lobule.model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint


def checkpoint() -> Checkpoint:
    generator = np.random.default_rng(0)
    weights = (generator.normal(size=(2, 3)).astype(np.float32), np.float32(2.5) * np.ones(()))
    return Checkpoint(
        key="a",
        epoch=4,
        best_epoch=2,
        best_loss=0.1 + 0.2,
        rows=(("binary", "holdout", -1, 1, 0.1, float("nan"), 1 / 3, 0.5),),
        weights=weights,
        optimizer=(np.array(7, dtype=np.int64), *weights),
        best_weights=weights[:1],
        logits=tuple(
            {"subtype": np.zeros((0, 8), np.float32), "binary": np.full((3, 1), epoch, np.float32)}
            for epoch in range(4)
        ),
    )


def test_round_trip_is_exact(tmp_path: Path) -> None:
    before = checkpoint()
    write_checkpoint(tmp_path / "file", before)
    after = read_checkpoint(tmp_path / "file", "a")
    assert after is not None
    assert (after.epoch, after.best_epoch, after.best_loss) == (4, 2, 0.1 + 0.2)
    assert repr(after.rows) == repr(before.rows)
    for group in ("weights", "optimizer", "best_weights"):
        for mine, theirs in zip(getattr(before, group), getattr(after, group), strict=True):
            np.testing.assert_array_equal(mine, theirs)
            assert np.asarray(mine).dtype == theirs.dtype
            assert np.shape(mine) == theirs.shape
    assert [each["binary"][0, 0] for each in after.logits] == [0, 1, 2, 3]
    assert all(each["subtype"].shape == (0, 8) for each in after.logits)


def test_no_checkpoint_for_another_training_or_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_checkpoint(path, "a") is None
    write_checkpoint(path, checkpoint())
    assert read_checkpoint(path, "b") is None
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[:-1]):
        path.write_bytes(content)
        assert read_checkpoint(path, "a") is None


def test_infinite_losses_survive(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "file", replace(checkpoint(), best_loss=float("inf")))
    after = read_checkpoint(tmp_path / "file", "a")
    assert after is not None
    assert after.best_loss == pytest.approx(float("inf"))
