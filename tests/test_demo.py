"""The demonstration, with a tiny backbone in place of VGG16 and finished tissue in place of new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from lobule import demo
from lobule.data.phantom import PhantomSummary
from lobule.demo import run_demo
from lobule.errors import WeightsError
from lobule.features.backbones import backbone
from lobule.features.weights import published_file
from lobule.pipeline import Run
from tests.runs import QUICK
from tests.tiny_backbone import tiny_backbone


@pytest.fixture(autouse=True)
def _tiny(finished: Run) -> Iterator[None]:
    with tiny_backbone():
        yield


@pytest.mark.slow
@pytest.mark.keras
def test_it_trains_predicts_and_explains_and_is_quick_the_second_time(
    phantom: PhantomSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_settings", lambda seed, reading, *, may_download: QUICK)
    monkeypatch.setattr("lobule.data.phantom.write_phantom", lambda *_args, **_options: phantom)
    done = run_demo(tmp_path)
    assert done.data == phantom.folder
    assert (done.run.folder / "report.html").is_file()
    frame = pd.read_csv(done.predictions)
    assert len(frame) == 6
    assert frame["case_id"].is_unique
    assert sorted(frame["label"]) == ["benign"] * 3 + ["malignant"] * 3
    assert len(list(done.heatmaps.glob("*.png"))) == 12
    again = run_demo(tmp_path)
    assert again.run.was_done
    assert pd.read_csv(again.predictions).equals(frame)


def test_a_folder_of_ones_own_is_used_instead_of_tissue(
    phantom: PhantomSummary, finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def train(data: Path, out: Path, **_options: object) -> Run:
        asked.append((data, out))
        return finished

    monkeypatch.setattr(demo, "_settings", lambda seed, reading, *, may_download: QUICK if may_download else None)
    monkeypatch.setattr("lobule.pipeline.train", train)
    done = run_demo(tmp_path, data=phantom.images)
    assert asked == [(phantom.images, tmp_path / "run")]
    assert not (tmp_path / "synthetic").exists()
    assert len(pd.read_csv(done.predictions)) == 6


@pytest.mark.parametrize("may_download", [False, True])
def test_without_weights_the_filters_are_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_download: bool
) -> None:
    asked = []

    def resolve(name: str, *_args: object, **_options: object) -> None:
        asked.append(name)
        raise WeightsError("no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(demo, "resolve_weights", resolve)
    config = demo._settings(3, {}, may_download=may_download)
    assert (config.seed, config.features.weights, config.features.backbone) == (3, "none", "vgg16")
    assert asked == (["imagenet"] if may_download else [])


def test_weights_that_are_there_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(demo, "resolve_weights", lambda *_args, **_options: None)
    file = published_file(backbone("vgg16"))
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    assert demo._settings(0, {}, may_download=False).features.weights == "imagenet"


def test_how_the_folder_is_read_is_part_of_the_settings() -> None:
    config = demo._settings(3, {"case_pattern": "patient[0-9]+"}, may_download=False)
    assert (config.seed, config.data.case_pattern) == (3, "patient[0-9]+")
