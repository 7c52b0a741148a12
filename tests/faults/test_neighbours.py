"""Two at once, threads that are stopped, shards that are cut, files that change while they are read."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lobule.cli.app import main
from lobule.config import FeatureSettings
from lobule.data import images as decoding
from lobule.data.images import decode, inspect
from lobule.data.manifest import Manifest
from lobule.data.phantom import PhantomSummary
from lobule.data.traits import traits_of
from lobule.errors import ImageError, RunError
from lobule.features import extract as extraction
from lobule.inference import inputs
from lobule.inference.batch import predict_paths
from lobule.inference.predictor import Predictor
from lobule.pipeline import Run, train
from lobule.run_folder import RunFolder
from lobule.storage import Turn, claim, scratch_folder, sweep
from tests.faults.conftest import Material
from tests.faults.nursery import Ended, Nursery, nursery
from tests.faults.test_kills import training
from tests.inference.conftest import noise
from tests.runs import QUICK
from tests.tiny_backbone import SETTINGS, tiny_backbone


def _extracted(material: Material, **more: Any) -> extraction.Features:
    manifest = Manifest.read(material.manifest, root=material.images.parent)
    with tiny_backbone():
        return extraction.extract(manifest, FeatureSettings.model_validate(SETTINGS), seed=0, **more)


@pytest.mark.slow
def test_two_extractions_into_one_store_one_of_them_killed(
    quick: Nursery, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = material.cache(tmp_path / "cache")
    job = {"kind": "extract", "manifest": str(material.manifest), "root": str(material.images.parent)}
    job["cache"] = str(cache)
    ended: list[Ended] = []
    with nursery("predict", tmp_path / "second") as second:
        both = [
            threading.Thread(target=lambda: ended.append(quick.run(job))),
            threading.Thread(target=lambda: ended.append(second.run(job, after=0.1))),
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    assert 0 in {one.code for one in ended}
    assert {one.code for one in ended} <= {0, -signal.SIGKILL}
    monkeypatch.setenv("LOBULE_CACHE", str(cache))
    totals: list[int] = []
    both_wrote = _extracted(material, progress=lambda _, __, total: totals.append(total))
    assert totals == []
    monkeypatch.setenv("LOBULE_CACHE", str(material.cache(tmp_path / "alone")))
    np.testing.assert_array_equal(both_wrote.values, _extracted(material).values)


@pytest.mark.slow
@pytest.mark.keras
def test_a_run_folder_has_one_process_at_a_time(
    trainer: Nursery, finished: Run, phantom: PhantomSummary, material: Material, tmp_path: Path
) -> None:
    job, _, when_done = training(finished, phantom, material, tmp_path)
    ended: list[Ended] = []
    thread = threading.Thread(target=lambda: ended.append(trainer.run(job)))
    thread.start()
    while not (tmp_path / "run" / "run.json").exists():
        assert thread.is_alive()
        time.sleep(0.005)
    with tiny_backbone(), pytest.raises(RunError, match="another process is working in this run folder"):
        train(phantom.folder, tmp_path / "run", config=QUICK, command="lobule train")
    thread.join()
    assert ended[0].code == 0, ended[0].err
    when_done()


def test_who_comes_second_to_a_new_run_folder_is_refused_as_soon_as_it_writes(tmp_path: Path) -> None:
    first, second = (RunFolder.open(tmp_path / "run", {"seed": 1}) for _ in range(2))
    other = RunFolder.open(tmp_path / "run", {"seed": 2})
    with second.alone(), other.alone():
        with first.alone():
            first.note(n=1)
            with pytest.raises(RunError, match="another process is working"):
                second.note(n=1)
        with pytest.raises(RunError, match=r"seed was 1, received 2"):
            other.note(n=1)
    with second.alone():
        second.note(n=1)


def test_a_batch_has_its_output_to_itself(material: Material, tmp_path: Path) -> None:
    predictor, out = Predictor(material.model), tmp_path / "p.csv"
    refused: list[str] = []

    def second(_: str, done: int, __: int) -> None:
        if not refused:
            with pytest.raises(RunError, match=r"p\.csv\.partial: another process is writing to it") as error:
                predict_paths([material.images], predictor, out)
            refused.append(str(error.value))

    predict_paths([material.images], predictor, out, progress=second)
    assert refused
    written = out.read_bytes()
    predict_paths([material.images], predictor, tmp_path / "alone" / "p.csv")
    assert written == (tmp_path / "alone" / "p.csv").read_bytes()


def test_cut_shards_are_made_again(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBULE_CACHE", str(material.cache(tmp_path / "cache")))
    monkeypatch.setattr(extraction, "_IMAGES_A_SHARD", 5)
    whole = _extracted(material)
    shards = sorted((tmp_path / "cache" / "features").rglob("*.safetensors"))
    rng = np.random.default_rng(0)
    for shard in shards[::2]:
        content = shard.read_bytes()
        shard.write_bytes(content[: rng.integers(0, len(content))])
    totals: list[int] = []
    mended = _extracted(material, progress=lambda _, __, total: totals.append(total))
    assert 0 < totals[-1] < 2 * whole.values.shape[1]
    np.testing.assert_array_equal(mended.values, whole.values)


def _stopping_at(number: int) -> Callable[..., np.ndarray[Any, np.dtype[np.uint8]]]:
    count = iter(range(10**6))

    def decode_or_stop(*arguments: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        if next(count) == number:
            raise SystemExit
        return decode(*arguments)

    return decode_or_stop


def test_a_thread_that_is_stopped_in_an_extraction(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOBULE_CACHE", str(material.cache(tmp_path / "cache")))
    with monkeypatch.context() as patch:
        patch.setattr(extraction, "decode", _stopping_at(40))
        with pytest.raises(RunError, match=r"a thread of this process was stopped.*repeat the command"):
            _extracted(material)
    totals: list[int] = []
    resumed = _extracted(material, progress=lambda _, __, total: totals.append(total))
    assert 0 < totals[-1] < 2 * resumed.values.shape[1]
    monkeypatch.setenv("LOBULE_CACHE", str(material.cache(tmp_path / "other")))
    np.testing.assert_array_equal(resumed.values, _extracted(material).values)


def test_a_thread_that_is_stopped_in_a_prediction(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(material.images), "--model", str(material.model), "--out", str(tmp_path / "p.csv")]
    with monkeypatch.context() as patch:
        patch.setattr(inputs, "decode", _stopping_at(40))
        with pytest.raises(SystemExit) as ended:
            main(words)
    assert ended.value.code == 1
    assert "was stopped in the middle of its work" in capsys.readouterr().err
    predictor = Predictor(material.model)
    assert predict_paths([material.images], predictor, tmp_path / "p.csv", resume=True).n_resumed == 32
    predict_paths([material.images], predictor, tmp_path / "alone" / "p.csv")
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "alone" / "p.csv").read_bytes()


@pytest.mark.parametrize("change", ["in place", "replaced", "longer"])
def test_a_file_that_changes_while_it_is_read_is_no_mixture(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "x.bmp", tmp_path / "y.bmp"
    Image.fromarray(noise(1)).save(path)
    Image.fromarray(noise(2)).save(other)
    os.utime(path, (1, 1))

    def meanwhile(image: Image.Image) -> dict[str, str]:
        if change == "replaced":
            os.utime(other, (1, 1))
            other.replace(path)
        else:
            path.write_bytes(other.read_bytes() + b"0" * (change == "longer"))
        return traits_of(image)

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "traits_of", meanwhile)
        with pytest.raises(ImageError, match="changed while it was read"):
            inspect(path)
    np.testing.assert_array_equal(decode(path), noise(2))


def test_a_folder_that_is_being_made_is_left_alone_and_one_that_was_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".graph.0123456789ab.tmp").mkdir()
    (tmp_path / ".graph.0123456789ab.tmp" / "half").write_text("")
    with scratch_folder(tmp_path / "graph") as unfinished:
        assert not (tmp_path / ".graph.0123456789ab.tmp").exists()
        os.utime(unfinished, (0, 0))  # a clock that jumped by years
        sweep(tmp_path)
        assert unfinished.is_dir()
        (unfinished / "whole").write_text("")
        unfinished.rename(tmp_path / "graph")
    assert [path.name for path in tmp_path.rglob("*")] == ["graph", "whole"]


def test_hidden_files_of_other_programs_stay(tmp_path: Path) -> None:
    theirs = [".syncthing.map.png.tmp", ".mine.tmp", ".a.png.0123.tmp", ".0123456789ab.tmp"]
    for name in theirs:
        (tmp_path / name).write_text("")
    (tmp_path / ".a.png.0123456789ab.tmp").write_text("")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(theirs)


def test_what_is_swept_is_locked_until_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / ".a.csv.0123456789ab.tmp"
    left.write_text("")
    claimed: list[bool] = []

    def unlink(path: Path) -> None:
        with path.open("rb") as stream:
            claimed.append(claim(stream.fileno()))

    monkeypatch.setattr(Path, "unlink", unlink)
    sweep(tmp_path)
    assert claimed == [False]


def test_where_there_are_no_locks_only_what_is_old_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fcntl", None)
    for name in (".old.0123456789ab.tmp", ".new.0123456789ab.tmp"):
        (tmp_path / name).write_text("")
    os.utime(tmp_path / ".old.0123456789ab.tmp", (0, 0))
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".new.0123456789ab.tmp"]
    with Turn() as one, Turn() as other:
        assert one.take(tmp_path)
        assert other.take(tmp_path)
