from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from lobule.errors import MissingExtraError
from lobule.pipeline import Run
from lobule.tracking.tensorboard import require_tensorboard, write_events
from lobule.tracking.tracked import Scalar, TrackedRun, read_tracked
from tests.runs import litter_in

pytest.importorskip("tensorboard")


def accumulated(folder: Path) -> object:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0}).Reload()


def test_tensorboard_reads_back_curves_metrics_settings_and_figures(finished: Run, tmp_path: Path) -> None:
    tracked = read_tracked(finished.folder)
    folder = write_events(tracked, tmp_path)
    assert {path.name for path in folder.iterdir()} == {"folds-0", "folds-1", "holdout", "metrics"}
    fold = accumulated(folder / "folds-0")
    shown = {tag: [(each.step, each.value) for each in fold.Scalars(tag)] for tag in fold.Tags()["scalars"]}  # type: ignore[attr-defined]
    expected: dict[str, list[tuple[int, object]]] = {}
    for scalar in tracked.curves["folds-0"]:
        expected.setdefault(scalar.name, []).append((scalar.step, pytest.approx(scalar.value, rel=1e-6)))
    assert shown == expected
    metrics = accumulated(folder / "metrics")
    (auroc,) = metrics.Scalars("binary/folds/image/auroc")  # type: ignore[attr-defined]
    assert auroc.value == pytest.approx(finished.metrics.value("binary", "auroc"), rel=1e-6)
    pictures = metrics.Tags()["images"]  # type: ignore[attr-defined]
    assert len(pictures) == len(tracked.figures)
    confusion = next(tag for tag in pictures if "confusion" in tag)
    (picture,) = metrics.Images(confusion)  # type: ignore[attr-defined]
    assert picture.encoded_image_string == (finished.folder / f"{confusion}.png").read_bytes()


def test_settings_are_hyperparameters(finished: Run, tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import metadata

    folder = write_events(read_tracked(finished.folder), tmp_path)
    metrics = accumulated(folder / "metrics")
    content = metrics.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content  # type: ignore[attr-defined]
    start = metadata.parse_session_start_info_plugin_data(content)
    assert start.hparams["head.hidden"].number_value == 8
    assert start.hparams["features.backbone"].string_value == "tiny"


def test_inner_scores_of_a_sweep_have_a_curve_for_each_outer_fit(finished: Run, tmp_path: Path) -> None:
    tracked = read_tracked(finished.folder)
    scores = (Scalar("search/inner_score", 0, 0.5), Scalar("search/inner_score", 3, 0.75))
    searched = TrackedRun(**{**vars(tracked), "search": {"fold 1": scores}})
    events = accumulated(write_events(searched, tmp_path) / "search-fold-1")
    assert [(each.step, each.value) for each in events.Scalars("search/inner_score")] == [(0, 0.5), (3, 0.75)]  # type: ignore[attr-defined]


def test_events_are_there_as_a_whole_or_not_at_all(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = read_tracked(finished.folder)
    with monkeypatch.context() as patch:
        patch.setattr("lobule.tracking.tensorboard._picture", lambda path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_events(tracked, tmp_path)
    assert list(tmp_path.iterdir()) == litter_in(tmp_path) == []
    folder = write_events(tracked, tmp_path)
    before = sorted(path.name for path in folder.rglob("events*"))
    assert write_events(tracked, tmp_path) == folder
    assert sorted(path.name for path in folder.rglob("events*")) == before


def test_a_missing_tensorboard_is_told_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "lobule\[tracking\]"'):
        require_tensorboard()
