"""kill -9 at random moments of extraction, prediction and training: nothing lost, nothing torn taken for whole."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lobule.data.manifest import Manifest
from lobule.data.phantom import PhantomSummary
from lobule.features.store import FeatureStore
from lobule.pipeline import Run
from tests.faults.conftest import Material
from tests.faults.nursery import Nursery
from tests.runs import DECIDED, content_of, litter_in
from tests.tiny_backbone import SETTINGS, TINY

TIMES = pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.exhaustive)])
pytestmark = pytest.mark.slow


def strike_again_and_again(
    nursery: Nursery,
    job: Mapping[str, Any],
    *,
    times: int,
    after_each: Callable[[], None],
    when_done: Callable[[], None],
    strike: signal.Signals = signal.SIGKILL,
    code: int = -signal.SIGKILL,
) -> list[str]:
    """Strike a job at random moments of its life until that has ended it so many times, then let it end.

    A start goes on where the one before was struck; when a job ends by itself, all starts anew.

    Returns:
        What the struck ones wrote to stderr.
    """
    rng = np.random.default_rng(times)
    life = nursery.run(job)
    assert life.code == 0, life.err
    when_done()
    said: list[str] = []
    seconds = life.seconds
    for _ in range(20 * times):
        ended = nursery.run(job, strike=strike, after=rng.uniform(0, seconds))
        if ended.code == code:
            said.append(ended.err)
            after_each()
            if len(said) == times:
                break
        else:
            assert ended.code == 0, ended.err
            seconds = min(seconds, ended.seconds)  # the first life was longer: caches were cold
            when_done()
    assert len(said) == times
    last = nursery.run(job)
    assert last.code == 0, last.err
    when_done()
    return said


@TIMES
def test_of_a_killed_extraction_every_feature_is_right_or_absent(
    quick: Nursery, material: Material, tmp_path: Path, times: int
) -> None:
    cache = material.cache(tmp_path / "cache")
    digests = Manifest.read(material.manifest, root=material.images.parent).frame["pixel_sha256"].tolist()
    known: dict[str, np.ndarray[Any, np.dtype[np.float32]]] = {}

    def found() -> int:
        count = 0
        for folder in (cache / "features").glob("*"):
            for view in SETTINGS["views"]:
                there, values = FeatureStore(folder, feature_size=TINY.layers["last"]).read(digests, view)
                np.testing.assert_array_equal(values[there], known.setdefault(view, values)[there])
                count += int(there.sum())
        return count

    def when_done() -> None:
        assert found() == 2 * len(digests)
        assert list((cache / "features").rglob(".*")) == []
        shutil.rmtree(cache / "features")

    job = {"kind": "extract", "manifest": str(material.manifest), "root": str(material.images.parent)}
    partial: list[int] = []
    strike_again_and_again(
        quick,
        {**job, "cache": str(cache)},
        times=times,
        after_each=lambda: partial.append(found()),
        when_done=when_done,
    )
    assert max(partial) > 0


def prediction(material: Material, folder: Path) -> tuple[dict[str, Any], Callable[[], None], Callable[[], None]]:
    """Return a batch with heat maps into a folder; what must hold after a blow, and what at its end."""
    out, maps = folder / "p.csv", folder / "maps"
    whole: dict[str, bytes] = {}

    def after_each() -> None:
        if out.exists() and whole:
            assert out.read_bytes() == whole["p.csv"]
        for path in maps.glob("[!.]*"):
            assert path.read_bytes() == whole[f"maps/{path.name}"]

    def when_done() -> None:
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert files == (whole or files)
        whole.update(files)
        assert len(files) == 1 + 2 * len(list(material.images.iterdir()))
        shutil.rmtree(folder)

    job = {
        "kind": "predict",
        "images": str(material.images),
        "model": str(material.model),
        "target": str(out),
        "maps": str(maps),
        "cache": str(material.cache(folder.with_name("cache"))),
    }
    return job, after_each, when_done


@TIMES
def test_a_killed_prediction_ends_with_the_same_bytes(
    quick: Nursery, material: Material, tmp_path: Path, times: int
) -> None:
    job, after_each, when_done = prediction(material, tmp_path / "out")
    strike_again_and_again(quick, job, times=times, after_each=after_each, when_done=when_done)
    assert not (tmp_path / "out").exists(), "the last one was not compared"


def training(
    finished: Run, phantom: PhantomSummary, material: Material, folder: Path
) -> tuple[dict[str, Any], Callable[[], None], Callable[[], None]]:
    """Return a training with a cache of its own; what must hold after a blow, and what at its end."""
    cache, run = material.cache(folder / "cache"), folder / "run"
    expected = content_of(finished.folder)

    def after_each() -> None:
        for name in DECIDED:
            if (run / name).exists():
                assert (run / name).read_bytes() == expected[name], name
        if (run / "run.json").exists():
            json.loads((run / "run.json").read_text())
        if (run / "report.html").exists():
            assert (run / "report.html").read_text().rstrip().endswith("</html>")
        if run.exists():
            (run / ".predictions.csv.0123456789ab.tmp").write_text("torn")
            (run / ".model.new").mkdir(exist_ok=True)
            (run / ".model.new" / "backbone.xml").write_text("torn")

    def when_done() -> None:
        assert content_of(run) == expected
        assert {path.name for path in run.iterdir()} == {path.name for path in finished.folder.iterdir()}
        assert json.loads((run / "run.json").read_text())["status"] == "done"
        assert litter_in(run) == []
        assert list(cache.rglob(".*")) == []
        shutil.rmtree(run)
        shutil.rmtree(cache / "features")

    job = {"kind": "train", "data": str(phantom.folder), "target": str(run), "cache": str(cache)}
    return job, after_each, when_done


@pytest.mark.keras
@TIMES
def test_a_killed_training_ends_with_the_same_bytes(
    trainer: Nursery, finished: Run, phantom: PhantomSummary, material: Material, tmp_path: Path, times: int
) -> None:
    job, after_each, when_done = training(finished, phantom, material, tmp_path)
    strike_again_and_again(trainer, job, times=times, after_each=after_each, when_done=when_done)
    assert not (tmp_path / "run").exists(), "the last one was not compared"
