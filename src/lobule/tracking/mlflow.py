"""A run in MLflow, where it is installed: parameters, metrics, curves, report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import lobule
from lobule.errors import ConfigError

if TYPE_CHECKING:
    from lobule.tracking.tracked import TrackedRun

__all__ = ["import_mlflow", "log_run"]

_EXPERIMENT: Final = "lobule"
_LONGEST_PARAMETER: Final = 500
_PARAMETERS_AT_ONCE: Final = 100


def import_mlflow() -> Any:
    """Return MLflow.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import mlflow
    except ModuleNotFoundError:
        raise ConfigError(
            "--track mlflow: MLflow is not installed, and no extra of Lobule brings it (it needs some 70 packages); "
            "pip install mlflow-skinny, or leave the option out."
        ) from None
    return mlflow


def log_run(tracked: TrackedRun) -> str:
    """Log a finished run to the server or folder that MLflow's own settings name (`MLFLOW_TRACKING_URI`).

    The experiment is that of `MLFLOW_EXPERIMENT_NAME`, else `lobule`.

    Args:
        tracked: what is logged.

    Returns:
        MLflow's id of the run.

    Raises:
        OSError: the server cannot be reached, or refuses.
    """
    mlflow = import_mlflow()
    try:
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT)
        with mlflow.start_run(run_name=tracked.name) as started:
            mlflow.set_tags({"lobule.run_id": tracked.run_id, "lobule.version": lobule.__version__})
            settings = {name: str(value)[:_LONGEST_PARAMETER] for name, value in tracked.settings.items()}
            for start in range(0, len(settings), _PARAMETERS_AT_ONCE):
                mlflow.log_params(dict(list(settings.items())[start : start + _PARAMETERS_AT_ONCE]))
            mlflow.log_metrics(dict(tracked.metrics))
            for step, values in sorted(_by_step(tracked).items()):
                mlflow.log_metrics(values, step=step)
            for path in tracked.files:
                mlflow.log_artifact(str(path))
            for path in tracked.figures:
                mlflow.log_artifact(str(path), artifact_path="figures")
        return str(started.info.run_id)
    except mlflow.exceptions.MlflowException as error:
        raise OSError(str(error)) from error


def _by_step(tracked: TrackedRun) -> Mapping[int, dict[str, float]]:
    """Return curves by epoch and inner scores by configuration, a name for each training."""
    steps: dict[int, dict[str, float]] = {}
    for of_each in (tracked.curves, tracked.search):
        for training, scalars in of_each.items():
            for scalar in scalars:
                steps.setdefault(scalar.step, {})[f"{scalar.name}/{training}"] = scalar.value
    return steps
