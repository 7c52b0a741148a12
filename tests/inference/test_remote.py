"""Images and predictions at an address: the same rows as of a folder, resumed, with failures that are listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lobule.errors import ConfigError
from lobule.evaluation.predictions import Predictions
from lobule.inference.batch import predict_paths
from lobule.inference.predictor import Predictor
from lobule.progress import Progress
from tests.cli.conftest import Lobule, lobule  # noqa: F401 - a fixture
from tests.inference.conftest import write_images


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Any]:
    """Return a bucket in memory with 40 images; a folder beside it has the same."""
    import fsspec

    files = fsspec.filesystem("memory")
    files.store.clear()
    for path in write_images(tmp_path / "images", 40):
        files.pipe_file(f"/bucket/images/{path.name}", path.read_bytes())
    yield files
    files.store.clear()


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="path")


def test_a_bucket_is_answered_like_a_folder(bucket: Any, predictor: Predictor, tmp_path: Path) -> None:
    bucket.pipe_file("/bucket/images/bad.png", b"no image")
    summary = predict_paths([Path("memory://bucket/images")], predictor, Path("memory://bucket/out/p.csv"))
    assert (summary.n_predicted, summary.n_failed) == (40, 1)
    (tmp_path / "p.csv").write_bytes(bucket.cat_file("/bucket/out/p.csv"))
    frame = Predictions.read(tmp_path / "p.csv").frame
    assert frame["path"].tolist() == [f"memory://bucket/images/{number:03d}.png" for number in range(40)]
    predict_paths([tmp_path / "images"], predictor, tmp_path / "local.csv")
    pd.testing.assert_frame_equal(_rows(frame), _rows(Predictions.read(tmp_path / "local.csv").frame))
    assert b"memory://bucket/images/bad.png" in bucket.cat_file("/bucket/out/failures.csv")


class StopError(Exception):
    """Raised in the middle of a batch."""


def _stop_after(images: int) -> Progress:
    def progress(_: str, done: int, __: int) -> None:
        if done >= images:
            raise StopError

    return progress


def test_a_stopped_batch_goes_on_and_a_finished_one_is_left(bucket: Any, predictor: Predictor) -> None:
    images, out = [Path("memory://bucket/images")], Path("memory://bucket/p.csv")
    with pytest.raises(StopError):
        predict_paths(images, predictor, out, progress=_stop_after(32))
    assert not bucket.exists("/bucket/p.csv")
    bucket.pipe_file("/bucket/images/003.png", bucket.cat_file("/bucket/images/004.png"))  # another version
    assert predict_paths(images, predictor, out, resume=True).n_resumed == 31
    written = bucket.cat_file("/bucket/p.csv")
    assert predict_paths(images, predictor, out, resume=True).n_resumed == 40
    assert bucket.cat_file("/bucket/p.csv") == written
    assert predict_paths(images, predictor, out).n_resumed == 0


def test_an_object_that_goes_before_its_turn_is_listed(
    bucket: Any, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = bucket.find("/bucket/images", detail=True)
    monkeypatch.setattr(type(bucket), "find", lambda *_, **__: listed)
    bucket.rm_file("/bucket/images/007.png")
    summary = predict_paths([Path("memory://bucket/images")], predictor, tmp_path / "p.csv")
    assert (summary.n_predicted, summary.n_failed) == (39, 1)
    assert "cannot be fetched" in (tmp_path / "failures.csv").read_text()


def test_the_command_takes_addresses(
    bucket: Any,
    bundle_folder: Path,
    tmp_path: Path,
    lobule: Lobule,  # noqa: F811
) -> None:
    words = ["predict", "memory://bucket/images", "--model", bundle_folder]
    shown = lobule(*words, "--out", "memory://bucket/p.parquet", "--json")
    assert shown.code == 0, shown.err
    assert shown.json["out"] == "memory://bucket/p.parquet"
    (tmp_path / "p.parquet").write_bytes(bucket.cat_file("/bucket/p.parquet"))
    assert len(Predictions.read(tmp_path / "p.parquet")) == 40
    said = lobule(*words, "--out", "memory://bucket/p.csv")
    assert said.out == "40 images predicted: memory://bucket/p.csv\n"
    nothing = lobule("predict", "memory://bucket/nowhere", "--model", bundle_folder)
    assert nothing.code == 1
    assert "memory://bucket/nowhere: not found, or no image below it" in nothing.err
    refused = lobule(*words, "--out", tmp_path / "p.csv", "--heatmaps", "memory://bucket/maps")
    assert refused.code == 1
    assert "--heatmaps memory://bucket/maps: heat maps are written to a folder of this machine" in refused.err


def test_heat_maps_of_a_bucket_lie_in_a_folder(bucket: Any, predictor: Predictor, tmp_path: Path) -> None:
    summary = predict_paths(
        [Path("memory://bucket/images/001.png")], predictor, tmp_path / "p.csv", heatmaps=tmp_path / "maps"
    )
    assert summary.n_predicted == 1
    assert len(list((tmp_path / "maps").iterdir())) == 2
    with pytest.raises(ConfigError, match="a folder of this machine"):
        predict_paths([Path("memory://bucket/images")], predictor, tmp_path / "q.csv", heatmaps=Path("memory://x"))
