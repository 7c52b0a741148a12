from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from lobule.errors import ConfigError
from lobule.pipeline import Run
from lobule.tracking.track import check_trackers, track_run
from tests.cli.conftest import Lobule
from tests.cli.conftest import lobule as lobule
from tests.runs import QUICK, content_of
from tests.tiny_backbone import tiny_backbone
from tests.tracking.stand_in import StandIn


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "mlflow", stand_in)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return stand_in


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished.folder, tmp_path / "mine"))


def test_mlflow_is_told_settings_metrics_curves_and_files(mlflow: StandIn, run: Path, finished: Run) -> None:
    assert track_run(run, ["mlflow"]) == []
    (logged,) = mlflow.runs
    assert (mlflow.experiment, logged["name"]) == ("lobule", "mine")
    assert logged["params"]["head.hidden"] == str(QUICK.head.hidden)
    assert logged["metrics"]["binary/folds/image/auroc", 0] == finished.metrics.value("binary", "auroc")
    assert {step for name, step in logged["metrics"] if name == "binary/train_loss/folds-0"} == {1, 2, 3}
    assert "report.html" in logged["files"]
    assert any(name.startswith("figures/") and "confusion" in name for name in logged["files"])
    assert json.loads((run / "tracking.json").read_text()) == {"mlflow": "run-1"}


def test_a_run_is_told_once(mlflow: StandIn, run: Path) -> None:
    assert track_run(run, ["mlflow"]) == track_run(run, ["mlflow", "tensorboard"]) == []
    assert len(mlflow.runs) == 1
    assert json.loads((run / "tracking.json").read_text()) == {"mlflow": "run-1", "tensorboard": "tensorboard"}


def test_the_experiment_is_that_of_the_environment(mlflow: StandIn, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "breast")
    track_run(run, ["mlflow"])
    assert mlflow.experiment == "breast"


def test_a_server_that_is_away_loses_nothing(mlflow: StandIn, run: Path) -> None:
    before = content_of(run)
    mlflow.reachable = False
    (problem,) = track_run(run, ["mlflow", "tensorboard"])
    assert problem == ("--track mlflow: API request failed. The run itself is complete; the same command tries again.")
    assert content_of(run) == before
    assert (run / "tensorboard").is_dir()
    mlflow.reachable = True
    assert track_run(run, ["mlflow"]) == []
    assert len(mlflow.runs) == 1


def test_a_folder_that_cannot_be_written_is_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lobule.tracking.tensorboard._write", full)
    (problem,) = track_run(run, ["tensorboard"])
    assert "No space left on device" in problem
    assert not (run / "tracking.json").exists()


def test_names_are_checked_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_trackers(["tensorboard", "tensorboard"]) == ("tensorboard",)
    with pytest.raises(ConfigError, match="--track wandb: unknown; allowed: tensorboard, mlflow"):
        check_trackers(["wandb"])
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match="pip install mlflow-skinny"):
        check_trackers(["mlflow"])


def test_a_record_of_trackers_that_is_damaged_is_made_anew(mlflow: StandIn, run: Path) -> None:
    (run / "tracking.json").write_text("{")
    assert track_run(run, ["mlflow"]) == []
    assert json.loads((run / "tracking.json").read_text()) == {"mlflow": "run-1"}


def test_the_command_line_tells_trackers_and_warns(
    lobule: Lobule, mlflow: StandIn, run: Path, finished: Run, tmp_path: Path
) -> None:
    data = json.loads((run / "run.json").read_text())["arguments"]["data"]
    (tmp_path / "quick.yaml").write_text(QUICK.to_yaml())
    mlflow.reachable = False
    command = ["train", data, "--out", run, "--config", tmp_path / "quick.yaml", "--track", "mlflow"]
    with tiny_backbone():
        shown = lobule(*command, "--track", "tensorboard")
        assert shown.code == 0
        assert "--track mlflow: API request failed." in shown.err
        assert (run / "tensorboard" / "holdout").is_dir()
        refused = lobule(*command, "--track", "nothing")
    assert (refused.code, refused.out) == (1, "")
    assert "--track nothing: unknown" in refused.err
