"""A run on cached features of as many images as BreakHis has: simulated, so that no image is needed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from lobule.assessment import assess
from lobule.config import Config
from lobule.data.manifest import Manifest
from lobule.data.split import split
from lobule.features.extract import extract_spec
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.features.statistics import statistics_store
from lobule.features.store import FeatureStore
from lobule.model.plan import plan_fits
from lobule.model.stages import train_heads
from lobule.progress import Progress, silent
from lobule.taxonomy import LABEL_OF_SUBTYPE, MAGNIFICATIONS, SUBTYPES

__all__ = ["OTHER_HEAD", "second_run_seconds", "simulated_manifest"]

_CASES: Final = dict(zip(SUBTYPES, (2, 7, 3, 6, 37, 4, 6, 5), strict=True))
"""About as BreakHis has them: 70 cases."""

_SHARD: Final = 256
OTHER_HEAD: Final = {"hidden": 128, "members": 2}
"""Settings of the heads that a second run differs in."""

_T = TypeVar("_T")


def second_run_seconds(config: Config, *, images: int, progress: Progress = silent) -> dict[str, float]:
    """Return the seconds of each stage of a run whose features are in the store.

    Args:
        config: settings; the heads are given another size, as in a second run.
        images: number of simulated images.
        progress: told about the stages.
    """
    manifest = simulated_manifest(images)
    spec = encoder_spec(config.features, seed=config.seed + 1)  # a store of its own
    _fill(FeatureStore.of(spec), manifest, config.features.views)
    _fill(statistics_store(), manifest, ("identity",))
    other = config.model_copy(update={"head": config.head.model_copy(update=OTHER_HEAD)})
    return _stages(manifest, spec, other, progress)


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


def _fill(store: FeatureStore, manifest: Manifest, views: tuple[str, ...]) -> None:
    """Put features into the store that depend on class and case, in shards of the usual size."""
    generator = np.random.default_rng(0)
    frame = manifest.frame
    centres = [
        generator.standard_normal((column.nunique(), store.feature_size), dtype=np.float32)[codes]
        for column in (frame["subtype"], frame["case_id"])
        for codes in [column.astype("category").cat.codes.to_numpy()]
    ]
    digests = frame["pixel_sha256"].tolist()
    for view in views:
        noise = generator.standard_normal((len(frame), store.feature_size), dtype=np.float32)
        values = np.maximum(0.3 * centres[0] + 0.5 * centres[1] + noise, 0)
        for start in range(0, len(frame), _SHARD):
            part = slice(start, start + _SHARD)
            store.append(digests[part], view, values[part])


def _stages(manifest: Manifest, spec: EncoderSpec, config: Config, progress: Progress) -> dict[str, float]:
    """Return the seconds of each stage of a run after its files are known."""
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], _T]) -> _T:
        start = time.perf_counter()
        result = work()
        seconds[stage] = time.perf_counter() - start
        return result

    divided = timed("split", lambda: split(manifest, config.data, seed=config.seed))
    fits = plan_fits(divided.fold_of(manifest), divided.is_validation(manifest))
    views = config.features.views
    features = timed("features", lambda: extract_spec(manifest, spec, views=views, progress=progress))
    trained = timed("heads", lambda: train_heads(manifest, features, fits, config=config, progress=progress))
    timed(
        "assessment",
        lambda: assess(manifest, features, fits, trained, config=config, run_id="second", progress=progress),
    )
    return seconds
