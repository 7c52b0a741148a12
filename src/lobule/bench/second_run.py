"""A run on cached features of as many images as BreakHis has: simulated, so that no image is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from lobule.bench.clock import seconds_of
from lobule.config import Config
from lobule.controls.logistic import logistic_logits
from lobule.data.manifest import Manifest
from lobule.data.split import split
from lobule.evaluation.decision.decide import decide
from lobule.evaluation.metrics import evaluate
from lobule.features.extract import extract_spec
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.features.store import FeatureStore
from lobule.model.held_out import held_out_predictions
from lobule.model.plan import plan_fits, targets_of
from lobule.model.stages import train_heads
from lobule.progress import Progress, silent
from lobule.taxonomy import LABEL_OF_SUBTYPE, MAGNIFICATIONS, SUBTYPES, TASKS

__all__ = ["second_run_seconds", "simulated_manifest"]

_CASES: Final = dict(zip(SUBTYPES, (2, 7, 3, 6, 37, 4, 6, 5), strict=True))
"""About as BreakHis has them: 70 cases."""

_SHARD: Final = 256
_OTHER_HEAD: Final = {"hidden": 128, "members": 2}


def second_run_seconds(config: Config, *, images: int, progress: Progress = silent) -> dict[str, float]:
    """Return the seconds of each stage of a run whose features are in the store.

    Args:
        config: settings; the heads are given another size, as in a second run.
        images: number of simulated images.
        progress: told about the stages.
    """
    manifest = simulated_manifest(images)
    spec = encoder_spec(config.features, seed=config.seed + 1)  # a store of its own
    _fill(FeatureStore.of(spec), manifest, spec, config.features.views)
    return _Stages(manifest, spec, config.model_copy(update={"head": config.head.model_copy(update=_OTHER_HEAD)})).run(
        progress
    )


def simulated_manifest(images: int) -> Manifest:
    """Return a manifest of 70 cases of all subtypes; its files do not exist."""
    cases = [(subtype, number) for subtype, count in _CASES.items() for number in range(count)]
    rows: list[dict[str, Any]] = []
    for row in range(images):
        subtype, number = cases[row % len(cases)]
        case = f"{subtype}-{number}"
        rows.append(
            {
                "image_id": f"image-{row}",
                "path": f"image-{row}.png",
                "pixel_sha256": hashlib.sha256(str(row).encode()).hexdigest(),
                "width": 700,
                "height": 460,
                "label": LABEL_OF_SUBTYPE[subtype],
                "subtype": subtype,
                "patient_id": case,
                "case_id": case,
                "magnification": MAGNIFICATIONS[row // len(cases) % len(MAGNIFICATIONS)],
            }
        )
    return Manifest.from_rows(rows, root=Path())


def _fill(store: FeatureStore, manifest: Manifest, spec: EncoderSpec, views: tuple[str, ...]) -> None:
    """Put features into the store that depend on class and case, in shards of the usual size."""
    generator = np.random.default_rng(0)
    frame = manifest.frame
    centres = [
        generator.standard_normal((column.nunique(), spec.feature_size), dtype=np.float32)[codes]
        for column in (frame["subtype"], frame["case_id"])
        for codes in [column.astype("category").cat.codes.to_numpy()]
    ]
    digests = frame["pixel_sha256"].tolist()
    for view in views:
        noise = generator.standard_normal((len(frame), spec.feature_size), dtype=np.float32)
        values = np.maximum(0.3 * centres[0] + 0.5 * centres[1] + noise, 0)
        for start in range(0, len(frame), _SHARD):
            part = slice(start, start + _SHARD)
            store.append(digests[part], view, values[part])


class _Stages:
    """The stages of a run after its features are known, each timed."""

    def __init__(self, manifest: Manifest, spec: EncoderSpec, config: Config) -> None:
        self._manifest, self._spec, self._config = manifest, spec, config
        self._seconds: dict[str, float] = {}

    def run(self, progress: Progress) -> dict[str, float]:
        """Return the seconds by stage."""
        manifest, config = self._manifest, self._config
        divided = self._timed("split", lambda: split(manifest, config.data, seed=config.seed))
        fits = plan_fits(divided.fold_of(manifest), divided.is_validation(manifest))
        features = self._timed(
            "features", lambda: extract_spec(manifest, self._spec, views=config.features.views, progress=progress)
        )
        trained = self._timed("heads", lambda: train_heads(manifest, features, fits, config=config, progress=progress))
        held_out = held_out_predictions(manifest, fits, trained.logits, model_id="second")
        recipe = self._timed(
            "plain_recipe",
            lambda: {
                task: logistic_logits(task, features.values[:1], targets_of(manifest.frame, task), fits)
                for task in TASKS
            },
        )
        rival = held_out_predictions(manifest, fits, recipe, model_id="second-plain_recipe")
        self._timed("decisions", lambda: decide(held_out, config.decision))
        self._timed(
            "evaluation",
            lambda: [
                evaluate(held_out, decision=config.decision, bootstrap=config.report.bootstrap, progress=progress),
                evaluate(rival, decision=config.decision, bootstrap=config.report.bootstrap, in_full=False),
            ],
        )
        return self._seconds

    def _timed(self, stage: str, work: Callable[[], Any]) -> Any:
        result: list[Any] = []
        self._seconds[stage] = seconds_of(lambda: result.append(work()))
        return result[0]
