from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lobule.data.phantom import PhantomSummary
from lobule.pipeline import Run
from tests.cli.conftest import Lobule
from tests.sweep.small import SWEEP_CONFIG, SWEEP_PLAN
from tests.tiny_backbone import install_tiny_graph, tiny_backbone


@pytest.fixture(autouse=True)
def _tiny() -> Iterator[None]:
    with tiny_backbone():
        install_tiny_graph()
        yield


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    (tmp_path / "quick.yaml").write_text(SWEEP_CONFIG.to_yaml())
    assert SWEEP_PLAN.space is not None
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SWEEP_PLAN.space.to_json()))
    files = ["--config", tmp_path / "quick.yaml", "--space", tmp_path / "space.yaml"]
    return [*files, "--trials", SWEEP_PLAN.settings.trials, "--finalists", SWEEP_PLAN.settings.finalists]


@pytest.mark.keras
def test_a_sweep_shows_scores_and_search_and_tells_trackers(
    lobule: Lobule, phantom: PhantomSummary, swept: Run, tmp_path: Path, options: list[object]
) -> None:
    """The command of a finished sweep says that it is done: options and files give the arguments of the library."""
    out = Path(shutil.copytree(swept.folder, tmp_path / "run"))
    command = ["sweep", phantom.folder, "--out", out, *options]
    shown = lobule(*command, "--track", "tensorboard")
    assert shown.code == 0
    assert "Search: 6 configurations, auroc" in shown.out
    assert "folds together" in shown.out
    assert f"Was done already: {out / 'report.html'}" in shown.out
    assert "research use only" in shown.err
    assert (out / "tensorboard" / "search-fold-1").is_dir()
    again = lobule(*command, "--json")
    assert (again.json["was_done"], again.json["search"]["n_configurations"]) == (True, 6)
    assert again.json["metrics"]["search"] == again.json["search"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--sampler", "grid"], "--sampler grid: input should be 'random' or 'tpe'"),
        (["--objective", "f1"], "--objective f1: input should be 'auroc' or 'log_loss'"),
        (["--finalists", "0"], "--finalists 0.0: input should be greater than 0"),
        (["--backbone", "vgg17"], "vgg17: unknown"),
        (["--split", "none.json"], "--split none.json: no such file"),
        (["--set", "finetune.blocks=1"], "finetune.blocks: a sweep searches frozen features"),
        (["--track", "paper"], "--track paper: unknown; allowed: tensorboard, mlflow"),
    ],
)
def test_what_is_not_allowed_is_told_before_any_work(
    lobule: Lobule, phantom: PhantomSummary, tmp_path: Path, options: list[object], option: list[str], message: str
) -> None:
    shown = lobule("sweep", phantom.folder, "--out", tmp_path / "run", *options, *option)
    assert (shown.code, shown.out) == (1, "")
    assert message in shown.err
    assert not (tmp_path / "run").exists()


@pytest.mark.keras
def test_two_folds_are_too_few(lobule: Lobule, phantom: PhantomSummary, tmp_path: Path, options: list[object]) -> None:
    shown = lobule("sweep", phantom.folder, "--out", tmp_path / "run", *options, "--folds", 2)
    assert shown.code == 1
    assert "use --folds 3 or more" in shown.err
    assert not (tmp_path / "run").exists()
