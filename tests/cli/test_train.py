from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lobule.data.phantom import PhantomSummary
from lobule.pipeline import Run
from tests.cli.conftest import Lobule
from tests.runs import QUICK
from tests.tiny_backbone import tiny_backbone


@pytest.fixture(autouse=True)
def _tiny() -> Iterator[None]:
    with tiny_backbone():
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK.to_yaml())
    return path


def test_a_finished_run_says_so_and_shows_its_scores(
    lobule: Lobule, finished: Run, phantom: PhantomSummary, settings: Path
) -> None:
    shown = lobule("train", phantom.folder, "--out", finished.folder, "--config", settings)
    assert shown.code == 0
    assert f"Was done already: {finished.folder / 'report.html'}" in shown.out
    assert "binary, by case: auroc" in shown.out
    assert "colour only" in shown.out
    assert "research use only" in shown.err


def test_json_is_all_that_stands_on_stdout(
    lobule: Lobule, finished: Run, phantom: PhantomSummary, settings: Path
) -> None:
    shown = lobule("train", phantom.folder, "--out", finished.folder, "--config", settings, "--json")
    assert shown.json == {
        "run": str(finished.folder),
        "was_done": True,
        "n_failures": 0,
        "metrics": finished.metrics.document,
    }


def test_other_arguments_on_a_run_folder_are_exit_1(
    lobule: Lobule, finished: Run, phantom: PhantomSummary, settings: Path
) -> None:
    shown = lobule("train", phantom.folder, "--out", finished.folder, "--config", settings, "--seed", 5)
    assert (shown.code, shown.out) == (1, "")
    assert "config.seed was 0, received 5" in shown.err


def test_options_win_over_set_over_the_file(
    lobule: Lobule, phantom: PhantomSummary, settings: Path, tmp_path: Path
) -> None:
    options = ["--set", "data.folds=3", "--folds", "9", "--weights", tmp_path / "none.h5", "--backbone", "vgg16"]
    shown = lobule("train", phantom.folder, "--out", tmp_path / "run", "--config", settings, *options)
    assert shown.code == 1
    assert "9 folds need at least 9 benign and malignant cases" in shown.err


def test_an_unknown_backbone_is_told_the_known_ones(lobule: Lobule, phantom: PhantomSummary, tmp_path: Path) -> None:
    shown = lobule("train", phantom.folder, "--out", tmp_path / "run", "--backbone", "vgg17")
    assert shown.code == 1
    assert "vgg17" in shown.err
    assert "densenet121" in shown.err
    assert not (tmp_path / "run").exists()


def test_a_leaking_split_is_exit_3(
    lobule: Lobule, finished: Run, phantom: PhantomSummary, settings: Path, tmp_path: Path
) -> None:
    document = json.loads((finished.folder / "split.json").read_text())
    document["folds"][0].append(document["folds"][1].pop())
    leaky = tmp_path / "leaky.json"
    leaky.write_text(json.dumps(document))
    command = ["train", phantom.folder, "--out", tmp_path / "run", "--config", settings, "--split", leaky]
    shown = lobule(*command)
    assert (shown.code, shown.out) == (3, "")
    assert "stands in fold 1 and in fold 2" in shown.err


def test_other_seeds_and_failures_reach_the_exit_code(
    lobule: Lobule, finished: Run, phantom: PhantomSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def train(data: Path, out: Path, **options: object) -> Run:
        seen.update(options)
        return Run(out, finished.metrics, n_failures=2, was_done=False)

    monkeypatch.setattr("lobule.pipeline.train", train)
    shown = lobule("train", phantom.folder, "--out", tmp_path, "--seed", 7)
    assert shown.code == 2
    assert "2 files could not be used" in shown.err
    assert seen["config"].seed == 7  # type: ignore[attr-defined]
    assert str(seen["command"]).startswith("lobule ")
