"""Features of images that were never taken: each case looks like itself, and a little like its class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lobule.data.manifest import Manifest
from lobule.features.extract import Features
from lobule.features.spec import EncoderSpec
from lobule.features.weights import ResolvedWeights
from lobule.model.plan import Fit, plan_fits, targets_of
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPES

SPEC = EncoderSpec(backbone="vgg16", weights=ResolvedWeights("none", None, "0" * 64, "vgg16"))


@dataclass(frozen=True, eq=False)
class Simulated:
    manifest: Manifest
    features: Features
    fits: list[Fit]


def simulated(
    *,
    cases: int = 40,
    each: int = 6,
    size: int = 40,
    case_effect: float = 2.0,
    label_effect: float = 0.5,
    seed: int = 0,
) -> Simulated:
    """Return images of cases that lie in three folds, two views each."""
    random = np.random.default_rng(seed)
    rows = [_row(case, image) for case in range(cases) for image in range(each)]
    manifest = Manifest.from_rows(rows, root=Path("nowhere"))
    case_of = np.repeat(np.arange(cases), each)
    label = targets_of(manifest.frame, "binary")
    values = random.normal(size=(2, len(rows), size)) + case_effect * random.normal(size=(cases, size))[case_of]
    values[..., 0] += label_effect * (2 * label - 1)
    features = Features(values.astype(np.float32), ("identity", "flip_horizontal"), SPEC)
    fold_of = (case_of // len(SUBTYPES)) % 3
    return Simulated(manifest, features, plan_fits(fold_of, fold_of == 1))


def _row(case: int, image: int) -> dict[str, Any]:
    subtype = SUBTYPES[case % len(SUBTYPES)]
    return {
        "image_id": f"{case}-{image}",
        "path": f"{case}-{image}.png",
        "pixel_sha256": f"{case:032x}{image:032x}",
        "width": 8,
        "height": 8,
        "label": LABEL_OF_SUBTYPE[subtype],
        "subtype": subtype,
        "patient_id": f"14-{case}",
        "case_id": f"14-{case}",
        "magnification": (40, 100)[image % 2],
    }
