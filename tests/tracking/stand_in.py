"""A module that stands for MLflow: it refuses what MLflow refuses and keeps what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class MlflowError(Exception):
    pass


class StandIn(SimpleNamespace):
    """What is used of MLflow's fluent interface, with its limits: 100 parameters a call, 6,000 characters each."""

    def __init__(self, *, reachable: bool = True) -> None:
        super().__init__(exceptions=SimpleNamespace(MlflowException=MlflowError))
        self.reachable, self.experiment = reachable, ""
        self.runs: list[dict[str, Any]] = []

    def set_experiment(self, name: str) -> None:
        if not self.reachable:
            raise MlflowError("API request failed\nwith many lines")
        self.experiment = name

    @contextmanager
    def start_run(self, run_name: str) -> Iterator[Any]:
        self.runs.append({"name": run_name, "params": {}, "metrics": {}, "tags": {}, "files": []})
        yield SimpleNamespace(info=SimpleNamespace(run_id=f"run-{len(self.runs)}"))

    def set_tags(self, tags: dict[str, str]) -> None:
        self.runs[-1]["tags"] |= tags

    def log_params(self, params: dict[str, str]) -> None:
        if len(params) > 100 or any(len(value) > 6000 for value in params.values()):
            raise MlflowError("too many or too long")
        self.runs[-1]["params"] |= params

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        self.runs[-1]["metrics"] |= {(name, step): value for name, value in metrics.items()}
        names = {name for name, _ in self.runs[-1]["metrics"]}
        # In a folder of MLflow's a metric is a file, so that no name may begin with another one and a slash.
        if clashing := [name for name in names if {f"{name}/"} & {other[: len(name) + 1] for other in names}]:
            raise MlflowError(f"{clashing} is a file and a folder")

    def log_artifact(self, path: str, artifact_path: str = "") -> None:
        if not Path(path).is_file():
            raise MlflowError(f"{path} is no file")
        self.runs[-1]["files"].append(f"{artifact_path}/{Path(path).name}".lstrip("/"))
