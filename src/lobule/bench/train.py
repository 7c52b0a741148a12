"""How long is it from a folder of images to a report, beside the notebook way, and the second time?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

from lobule.bench.clock import alternately, seconds_of
from lobule.bench.notebook import EPOCHS, epoch_seconds, extrapolated
from lobule.bench.results import Ratio, Result, Series
from lobule.bench.second_run import OTHER_HEAD, second_run_seconds
from lobule.bench.setup import Setup, fresh_cache
from lobule.bench.small_model import as_data
from lobule.bench.workload import workload_of
from lobule.config import Config
from lobule.features.spec import encoder_spec
from lobule.pipeline import train
from lobule.progress import Progress, silent
from lobule.provenance import cache_folder

__all__ = ["bench_train"]

_FASTER, _SECOND_RUN_SECONDS = 15.0, 30.0
_IMAGES, _QUICK_IMAGES = 96, 24
_MEASURED_EPOCHS: Final = 3
_BREAKHIS, _QUICK_BREAKHIS = 7909, 160


def bench_train(setup: Setup, *, progress: Progress = silent) -> Result:
    """Measure the whole job against the notebook way, then a second run with other head settings.

    Args:
        setup: what is measured, and on what.
        progress: told about each step.

    Raises:
        LobuleError: the weights or the images cannot be used, or Keras is not installed.
    """
    with fresh_cache() as scratch:
        images = setup.count(_IMAGES, quick=_QUICK_IMAGES)
        workload = workload_of(setup, scratch, images=images, progress=progress)
        data, root = as_data(workload, scratch)
        config = _config(setup, root)
        spec = encoder_spec(setup.features, seed=setup.seed)
        stages: list[dict[str, float]] = []
        epochs: list[float] = []
        contenders = {
            "job": lambda: _job(data, scratch / "job", config, stages, progress),
            "notebook": lambda: _notebook(epochs, epoch_seconds(spec, workload, epochs=_MEASURED_EPOCHS)),
        }
        values = alternately(contenders, repeats=setup.rounds(1), progress=progress)
        other = config.model_copy(update={"head": config.head.model_copy(update=OTHER_HEAD)})
        again: list[dict[str, float]] = []
        values["second_run"] = (_job(data, scratch / "again", other, again, progress, fresh=False),)
        simulated = second_run_seconds(config, images=_QUICK_BREAKHIS if setup.quick else _BREAKHIS, progress=progress)
    series = [
        Series("job", "s", values["job"]),
        *_stage_series("job", stages),
        Series("notebook_epoch", "s", tuple(epochs)),
        Series("notebook", "s", values["notebook"], extrapolated=True),
        Series("second_run", "s", values["second_run"]),
        *_stage_series("second_run", again),
        *(Series(f"breakhis_second_run_{stage}", "s", (seconds,)) for stage, seconds in simulated.items()),
        Series("breakhis_second_run", "s", (sum(simulated.values()),)),
    ]
    return _result(setup, workload.description, series)


def _config(setup: Setup, root: str) -> Config:
    groups = {"data": {"root": root, **({"folds": 2} if setup.quick else {})}}
    quick = {"head": {"max_epochs": 2}, "report": {"bootstrap": 20, "gallery": 2}} if setup.quick else {}
    return setup.config(**groups, **quick)


def _job(
    data: Path,
    out: Path,
    config: Config,
    stages: list[dict[str, float]],
    progress: Progress,
    *,
    fresh: bool = True,
) -> float:
    """Return the seconds of a whole job; its stages, as run.json has them, are added to `stages`."""
    shutil.rmtree(out, ignore_errors=True)
    if fresh:
        shutil.rmtree(cache_folder(), ignore_errors=True)
    seconds = seconds_of(lambda: train(data, out, config=config, progress=progress))
    stages.append(json.loads((out / "run.json").read_text(encoding="utf-8"))["seconds"])
    return seconds


def _notebook(epochs: list[float], measured: list[float]) -> float:
    epochs += measured
    return extrapolated(measured)


def _stage_series(job: str, stages: list[dict[str, float]]) -> list[Series]:
    return [Series(f"{job}_{stage}", "s", tuple(each[stage] for each in stages)) for stage in stages[0]]


def _result(setup: Setup, description: str, series: list[Series]) -> Result:
    medians = {each.name: each.median for each in series}
    ratios = (
        Ratio("job_vs_notebook", medians["notebook"] / medians["job"], "notebook / job", at_least=_FASTER),
        Ratio(
            "breakhis_second_run_vs_limit",
            medians["breakhis_second_run"] / _SECOND_RUN_SECONDS,
            "breakhis_second_run / 30 s",
            at_most=1.0,
        ),
    )
    workload = {"backbone": setup.backbone, "weights": setup.weights, "images": description}
    notes = (
        "job: files to report in an empty cache, writing the graph included; both tasks, folds, holdout and final "
        "model, default views.",
        f"notebook: one task, no folds; {_MEASURED_EPOCHS} of {EPOCHS} epochs were measured, the others are the median "
        "of all but the first.",
        f"second_run: the same images with {OTHER_HEAD}, features in the store.",
        "breakhis_second_run: simulated features of as many images as BreakHis has, in the store, "
        "and of their colours; rivals, decisions and intervals included, no audit (it needs pixels) and no report.",
    )
    return Result("train", workload, tuple(series), ratios, notes=notes)
