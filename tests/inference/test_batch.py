from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lobule.errors import ConfigError, DataError
from lobule.evaluation.predictions import Predictions
from lobule.inference import batch
from lobule.inference.batch import BatchSummary, predict_paths
from lobule.inference.heatmap import overlay
from lobule.inference.predictor import Predictor
from tests.inference.conftest import noise, write_images
from tests.model.tiny_bundle import make_novelty, write_tiny_bundle


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_images(tmp_path / "images", 9)
    return tmp_path / "images"


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_CHUNK", 2)


class _StoppedError(Exception):
    pass


def _run_until(done: int, images: Path, predictor: Predictor, out: Path, heatmaps: Path | None = None) -> None:
    def stop(_: str, now: int, __: int) -> None:
        if now >= done:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        predict_paths([images], predictor, out, heatmaps=heatmaps, progress=stop)


def _failures(out: Path) -> list[tuple[str, str]]:
    with out.with_name("failures.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["path", "reason"]
    return [(Path(path).name, reason) for path, reason in rows]


def test_the_file_holds_what_predict_answers(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    summary = predict_paths([images], predictor, tmp_path / "p.csv", progress=lambda *event: told.append(event))
    assert summary == BatchSummary(9, 0, 0, tmp_path / "p.csv", None)
    assert summary.exit_code == 0
    assert told == [("predict", done, 9) for done in (2, 4, 6, 8, 9)]
    direct = predictor.predict(sorted(images.iterdir()))
    assert Predictions.read(tmp_path / "p.csv").frame.equals(direct.frame)
    assert {path.name for path in tmp_path.iterdir()} == {"images", "p.csv"}


def test_bad_files_are_listed_and_the_rest_goes_on(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    (images / "004.png").write_bytes((images / "004.png").read_bytes()[:60])
    (images / "005.png").write_bytes(b"")
    (images / "broken.png").symlink_to(tmp_path / "nowhere.png")
    out = tmp_path / "p.csv"
    summary = predict_paths([images, tmp_path / "gone.png"], predictor, out)
    assert (summary.n_predicted, summary.n_failed, summary.exit_code) == (7, 4, 2)
    assert summary.failures == tmp_path / "failures.csv"
    reasons = dict(_failures(out))
    assert list(reasons) == ["gone.png", "004.png", "005.png", "broken.png"]
    assert (reasons["gone.png"], reasons["005.png"]) == ("not found", "the file is empty (0 bytes)")
    names = [Path(path).name for path in Predictions.read(out).frame["path"]]
    assert names == [f"{number:03d}.png" for number in range(9) if number not in (4, 5)]


def test_when_all_is_mended_the_list_of_failures_goes(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    (images / "bad.png").write_bytes(b"")
    assert predict_paths([images], predictor, tmp_path / "p.csv").n_failed == 1
    (images / "bad.png").unlink()
    assert predict_paths([images], predictor, tmp_path / "p.csv").n_failed == 0
    assert not (tmp_path / "failures.csv").exists()


def test_nothing_usable_gives_an_empty_file_and_reasons(tmp_path: Path, predictor: Predictor) -> None:
    (tmp_path / "bad.png").write_bytes(b"no")
    summary = predict_paths([tmp_path / "bad.png"], predictor, tmp_path / "p.csv")
    assert (summary.n_predicted, summary.n_failed, summary.exit_code) == (0, 1, 2)
    assert len(Predictions.read(tmp_path / "p.csv")) == 0


def test_no_image_and_wrong_targets_are_errors(tmp_path: Path, predictor: Predictor, images: Path) -> None:
    with pytest.raises(DataError, match="PATH"):
        predict_paths([], predictor, tmp_path / "p.csv")
    with pytest.raises(ConfigError, match="--out"):
        predict_paths([images], predictor, tmp_path)
    with pytest.raises(ConfigError, match="--heatmaps"):
        predict_paths([images], predictor, tmp_path / "p.csv", heatmaps=images / "000.png")
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize("stop", [2, 4, 8, 9])
def test_a_resumed_batch_ends_as_an_undisturbed_one(
    stop: int, images: Path, predictor: Predictor, tmp_path: Path
) -> None:
    (images / "003.png").write_bytes(b"no image")
    predict_paths([images], predictor, tmp_path / "whole" / "p.csv")
    out = tmp_path / "cut" / "p.csv"
    _run_until(stop, images, predictor, out)
    assert not out.exists()
    summary = predict_paths([images], predictor, out, resume=True)
    assert summary.n_resumed == len([k for k in range(stop) if k != 3])
    for name in ("p.csv", "failures.csv"):
        assert (out.parent / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert {path.name for path in out.parent.iterdir()} == {"p.csv", "failures.csv"}


def test_a_resumed_batch_keeps_novelty_and_reasons(images: Path, tmp_path: Path) -> None:
    judging = Predictor(write_tiny_bundle(tmp_path / "judging", novelty=make_novelty()))
    predict_paths([images], judging, tmp_path / "whole.csv")
    out = tmp_path / "cut" / "p.csv"
    _run_until(8, images, judging, out)
    resumed = predict_paths([images], judging, out, resume=True)
    assert resumed.n_resumed == 8
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    frame = Predictions.read(out).frame
    assert frame["novelty"].notna().all()
    refused = frame["novelty"] > 1
    assert 0 < refused.sum() == resumed.n_refused
    assert predict_paths([images], judging, out, resume=True).n_refused == refused.sum()
    assert (frame["verdict"][refused] == "not assessable").all()
    assert frame["reason"][refused].str.contains("novelty").all()


def test_resuming_looks_again_at_what_changed(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    _run_until(8, images, predictor, out)
    Image.fromarray(noise(77)).save(images / "000.png")
    (images / "001.png").unlink()
    Image.fromarray(noise(78)).save(images / "001b.png")
    summary = predict_paths([images], predictor, out, resume=True)
    assert (summary.n_predicted, summary.n_resumed) == (9, 6)
    assert Predictions.read(out).frame.equals(predictor.predict(sorted(images.iterdir())).frame)


def test_answers_of_another_model_are_not_resumed(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    _run_until(8, images, predictor, out)
    other = Predictor(write_tiny_bundle(tmp_path / "other", seed=5))
    assert predict_paths([images], other, out, resume=True).n_resumed == 0
    assert set(Predictions.read(out).frame["model_id"]) == {other.bundle.record.model_id}


def test_without_resume_it_starts_anew(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    _run_until(8, images, predictor, tmp_path / "p.csv")
    assert predict_paths([images], predictor, tmp_path / "p.csv").n_resumed == 0


def test_a_finished_batch_is_left_as_it_is(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    (images / "bad.png").write_bytes(b"")
    first = predict_paths([images], predictor, out)
    written = out.stat().st_mtime_ns
    again = predict_paths([images], predictor, out, resume=True)
    assert out.stat().st_mtime_ns == written
    assert (again.n_predicted, again.n_failed, again.n_resumed) == (first.n_predicted, 1, 9)
    os.utime(images / "000.png", ns=(written + 10**9, written + 10**9))
    assert predict_paths([images], predictor, out, resume=True).n_resumed == 9


def test_another_image_under_an_old_time_is_noticed(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    predict_paths([images], predictor, out)
    (images / "000.png").write_bytes((images / "001.png").read_bytes())
    os.utime(images / "000.png", (0, 0))  # a copy that keeps its time, or a clock that jumped back
    assert predict_paths([images], predictor, out, resume=True).n_resumed == 0
    frame = Predictions.read(out).frame
    assert frame["pixel_sha256"][0] == frame["pixel_sha256"][1]
    (images / "001.png").write_bytes(b"torn")
    os.utime(images / "001.png", (0, 0))
    assert predict_paths([images], predictor, out, resume=True).n_failed == 1


@pytest.mark.parametrize("change", ["added", "model", "damaged"])
def test_a_finished_batch_of_something_else_is_done_again(
    change: str, images: Path, predictor: Predictor, tmp_path: Path
) -> None:
    out = tmp_path / "p.csv"
    predict_paths([images], predictor, out)
    expected = 9
    if change == "added":
        (images / "copy.png").write_bytes((images / "000.png").read_bytes())
        expected = 10
    elif change == "model":
        predictor = Predictor(write_tiny_bundle(tmp_path / "other", seed=5))
    else:
        out.write_text("image_id\n")
    summary = predict_paths([images], predictor, out, resume=True)
    assert (summary.n_predicted, summary.n_resumed) == (expected, 0)
    assert len(Predictions.read(out)) == expected


def test_heat_maps_of_every_image_and_task(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    (images / "sub").mkdir()
    Image.fromarray(noise(0)).save(images / "sub" / "000.png")
    maps = tmp_path / "maps"
    predict_paths([images], predictor, tmp_path / "p.csv", heatmaps=maps)
    names = {path.name for path in maps.iterdir()}
    assert len(names) == 2 * 10
    assert {"001_binary.png", "001_subtype.png"} <= names
    with Image.open(maps / "001_binary.png") as written:
        np.testing.assert_array_equal(np.asarray(written), overlay(noise(1), predictor.heatmap(noise(1))))
    with Image.open(maps / "001_subtype.png") as written:
        subtype = predictor.heatmap(noise(1), task="subtype")
        np.testing.assert_array_equal(np.asarray(written), overlay(noise(1), subtype))
        assert subtype.class_name in written.info["Title"]


def test_heat_maps_do_not_change_the_predictions_and_resume(images: Path, predictor: Predictor, tmp_path: Path) -> None:
    predict_paths([images], predictor, tmp_path / "plain.csv")
    out, maps = tmp_path / "p.csv", tmp_path / "maps"
    _run_until(4, images, predictor, out, heatmaps=maps)
    (maps / "000_binary.png").unlink()
    kept = (maps / "001_binary.png").stat().st_mtime_ns
    predict_paths([images], predictor, out, heatmaps=maps, resume=True)
    assert out.read_bytes() == (tmp_path / "plain.csv").read_bytes()
    assert len(list(maps.iterdir())) == 18
    assert (maps / "001_binary.png").stat().st_mtime_ns == kept
    (maps / "002_subtype.png").unlink()
    predict_paths([images], predictor, out, heatmaps=maps, resume=True)
    assert (maps / "002_subtype.png").exists()


def test_an_image_that_vanishes_before_its_heat_map_keeps_its_row(
    images: Path, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "p.csv"
    draw = batch._draw

    def late(*arguments: object) -> object:
        (images / "001.png").unlink(missing_ok=True)
        return draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(batch, "_draw", late)
    summary = predict_paths([images], predictor, out, heatmaps=tmp_path / "maps")
    assert (summary.n_predicted, summary.n_failed) == (9, 1)
    assert [(name, reason.split(":")[0]) for name, reason in _failures(out)] == [
        ("001.png", "predicted, but its heat maps could not be drawn")
    ]


_KILLED = """
import sys, time
from pathlib import Path
from lobule.inference import batch
from lobule.inference.predictor import Predictor
batch._CHUNK = 2
images, model, out, maps = map(Path, sys.argv[1:])
batch.predict_paths([images], Predictor(model), out, heatmaps=maps, progress=lambda *_: time.sleep(0.05))
"""


@pytest.mark.slow
@pytest.mark.parametrize("lines", [3, 7])
def test_killed_in_the_middle_it_resumes_to_the_same_bytes(
    lines: int, predictor: Predictor, bundle_folder: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    write_images(images, 40)
    out, maps = tmp_path / "cut" / "p.csv", tmp_path / "cut" / "maps"
    arguments = [sys.executable, "-c", _KILLED, *map(str, (images, bundle_folder, out, maps))]
    process = subprocess.Popen(arguments)
    journal = out.with_name("p.csv.partial")
    deadline = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    summary = predict_paths([images], predictor, out, heatmaps=maps, resume=True)
    assert lines - 1 <= summary.n_resumed < 40
    whole = tmp_path / "whole"
    predict_paths([images], predictor, whole / "p.csv", heatmaps=whole / "maps")
    assert out.read_bytes() == (whole / "p.csv").read_bytes()
    drawn = {path.name: path.read_bytes() for path in maps.iterdir() if not path.name.endswith(".tmp")}
    assert drawn == {path.name: path.read_bytes() for path in (whole / "maps").iterdir()}
