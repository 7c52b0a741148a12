"""A small task (cases that look like themselves, and a little like their label), and a small sweep of the phantom."""

from __future__ import annotations

import numpy as np

from lobule.config import Config, load_config
from lobule.features.extract import Features
from lobule.model.parallel_heads import TaskData
from lobule.model.plan import targets_of
from lobule.progress import silent
from lobule.sweep.journal import SearchJournal
from lobule.sweep.nested import Nested, plan_nested
from lobule.sweep.search import Found, Search
from lobule.sweep.settings import SweepPlan, SweepSettings
from lobule.sweep.space import Options, Space, Span
from tests.controls.simulated import Simulated
from tests.runs import QUICK

SMALL = load_config(settings={"head": {"hidden": 8, "members": 2, "max_epochs": 4, "batch_size": 32}})
SPACE = Space(
    {
        "features.backbone": Options(("vgg16",)),
        "features.views": Options((["identity"], ["identity", "flip_horizontal"])),
        "head.hidden": Options((0, 8)),
        "head.learning_rate": Span(1e-3, 1e-1, log=True),
        "head.dropout": Span(0.0, 0.5),
    },
    {},
)


SWEEP_CONFIG = load_config(
    settings={**QUICK.model_dump(), "data": {"folds": 3}, "head": {"hidden": 8, "max_epochs": 4, "batch_size": 32}}
)
SWEEP_PLAN = SweepPlan(
    SWEEP_CONFIG,
    SweepSettings(trials=6, finalists=0.5),
    Space(
        {
            "features.backbone": Options(("tiny",)),
            "features.views": Options((["identity"], ["flip_horizontal", "identity"])),
            "head.hidden": Options((0, 8)),
            "head.learning_rate": Span(1e-3, 1e-1, log=True),
        },
        {},
    ),
)


def fold_of(job: Simulated) -> np.ndarray:
    folds = np.zeros(len(job.manifest), dtype=np.int64)
    for fit in job.fits:
        if fit.protocol == "folds":
            folds[fit.validation] = fit.fold
    return folds


def nested_of(job: Simulated) -> Nested:
    return plan_nested(job.fits, fold_of(job), targets_of(job.manifest.frame, "binary"))


def data_of(job: Simulated) -> TaskData:
    frame = job.manifest.frame
    return TaskData("binary", job.features.values, targets_of(frame, "binary"), frame["case_id"].to_numpy(dtype=str))


def search_of(
    job: Simulated,
    journal: SearchJournal,
    *,
    config: Config = SMALL,
    targets: np.ndarray | None = None,
    **settings: object,
) -> Search:
    def features_of(config: Config) -> Features:
        rows = [job.features.views.index(view) for view in config.features.views]
        return Features(job.features.values[rows], config.features.views, job.features.spec)

    data = data_of(job)
    return Search(
        config=config,
        space=SPACE,
        settings=SweepSettings.model_validate({"trials": 8, **settings}),
        nested=nested_of(job),
        features_of=features_of,
        targets=data.targets if targets is None else targets,
        cases=data.cases,
        journal=journal,
        progress=silent,
    )


def values(found: Found) -> dict[tuple[str, int, str], tuple[float, int]]:
    return {(each.part, each.number, each.stage): (each.score.value, each.score.epochs) for each in found.tried}
