"""What is reported of a search: the record behind the report's section, and a table of everything that was tried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lobule.model.parallel_heads import TaskData
from lobule.model.plan import targets_of
from lobule.report.search_record import SearchedPart, SearchRecord
from lobule.sweep.inner_score import score_logits
from lobule.sweep.search import screening_epochs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lobule.data.manifest import Manifest
    from lobule.model.stages import Trained
    from lobule.sweep.nested import Nested
    from lobule.sweep.search import Found
    from lobule.sweep.settings import SweepPlan

__all__ = ["record_of", "table_of"]


def record_of(found: Found, trained: Trained, nested: Nested, manifest: Manifest, plan: SweepPlan) -> SearchRecord:
    """Return the record of a search whose choices were trained.

    Args:
        found: what the search tried and chose.
        trained: the outer fits with these choices.
        nested: outer fits and inner fits.
        manifest: n images.
        plan: what was searched and how.
    """
    logits = trained.logits["binary"]
    held_out = [_held_out(part.fit.validation, logits[at], manifest, plan) for at, part in enumerate(nested.parts)]
    n_full = {
        choice.part: sum(each.part == choice.part and each.stage == "full" for each in found.tried)
        for choice in found.choices
    }
    everywhere = np.full(len(manifest), np.nan)
    for at, part in enumerate(nested.parts):
        if part.fit.protocol == "folds":
            everywhere[part.fit.validation] = logits[at][:, 0]
    return SearchRecord(
        n_configurations=plan.settings.trials,
        sampler=plan.settings.sampler,
        objective=plan.settings.objective,
        seed=plan.config.seed,
        finalists=plan.settings.finalists if plan.settings.sampler == "random" else 1.0,
        screening_epochs=screening_epochs(plan.config.head, plan.settings),
        max_epochs=plan.config.head.max_epochs,
        n_inner_trainings=len(nested.inner),
        space=json.loads(json.dumps(plan.searched.to_json())),
        parts=tuple(
            SearchedPart(
                name=choice.part,
                number=choice.number,
                settings=dict(choice.drawn),
                n_full=n_full[choice.part],
                inner=choice.score.value,
                given=choice.given.value,
                held_out=held_out[at],
                epochs={task: int(epochs[at]) for task, epochs in trained.epochs.items()},
            )
            for at, choice in enumerate(found.choices)
        ),
        outer=_score(everywhere, np.isfinite(everywhere), manifest, plan),
    )


def table_of(found: Found) -> pd.DataFrame:
    """Return a row for each configuration, outer fit and stage.

    Columns: `part, number, stage` (`screened`, `full`), `score` (objective on the inner folds), `epochs, is_chosen`
    and each setting that was drawn; empty where the configuration has the given one.
    """
    chosen = {(choice.part, choice.number) for choice in found.choices}
    rows: list[dict[str, Any]] = []
    for each in found.tried:
        shared = found.drawn.get(("", each.number))
        drawn: Mapping[str, Any] = found.drawn[each.part, each.number] if shared is None else shared
        rows.append(
            {
                "part": each.part,
                "number": each.number,
                "stage": each.stage,
                "score": each.score.value,
                "epochs": each.score.epochs,
                "is_chosen": each.stage == "full" and (each.part, each.number) in chosen,
                **{name: "|".join(value) if isinstance(value, list) else value for name, value in drawn.items()},
            }
        )
    return pd.DataFrame(rows)


def _held_out(
    validation: NDArray[np.bool_], logits: NDArray[np.float32], manifest: Manifest, plan: SweepPlan
) -> float | None:
    table = np.full(len(manifest), np.nan)
    table[validation] = logits[:, 0]
    return _score(table, validation, manifest, plan)


def _score(logits: NDArray[np.float64], judged: NDArray[np.bool_], manifest: Manifest, plan: SweepPlan) -> float | None:
    """Return the objective; None where the images are not of both labels."""
    frame = manifest.frame
    targets = targets_of(frame, "binary")
    judged = judged & (targets >= 0)
    if len(set(targets[judged])) < 2:
        return None
    data = TaskData("binary", np.zeros((1, len(frame), 0), np.float32), targets, frame["case_id"].to_numpy(dtype=str))
    return score_logits(logits, judged, data, objective=plan.settings.objective)
