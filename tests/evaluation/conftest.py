"""Predictions that no model made, for the tests of the evaluation room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lobule.evaluation.predictions import Predictions, Protocol, assemble_predictions
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPES

MakePredictions = Callable[..., Predictions]


def manifest_frame(rng: np.random.Generator, *, images: int, cases: int) -> pd.DataFrame:
    """Return a manifest in which every subtype has cases and every case one subtype."""
    case = np.concatenate([np.arange(cases), rng.integers(0, cases, images - cases)])
    subtype = [SUBTYPES[number % 8] for number in case]
    return pd.DataFrame(
        {
            "image_id": [f"image-{number}" for number in range(images)],
            "path": [f"tissue/image-{number}.png" for number in range(images)],
            "pixel_sha256": [f"{number:064x}" for number in range(images)],
            "case_id": [f"14-{number}" for number in case],
            "patient_id": [f"14-{number}{'AB'[k % 2]}" for k, number in enumerate(case)],
            "magnification": pd.array(rng.choice([40, 100, 200, 400], images), dtype="Int64"),
            "label": [LABEL_OF_SUBTYPE[name] for name in subtype],
            "subtype": subtype,
        }
    )


def make_predictions(
    *, images: int = 240, cases: int = 48, seed: int = 0, protocol: Protocol = "folds", digits: int = 9
) -> Predictions:
    """Return predictions that are often right; few `digits` make ties."""
    rng = np.random.default_rng(seed)
    frame = manifest_frame(rng, images=images, cases=cases)
    malignant = frame["label"].eq("malignant").to_numpy()
    true = np.array([SUBTYPES.index(name) for name in frame["subtype"]])
    return assemble_predictions(
        frame,
        protocol=protocol,
        fold=rng.integers(0, 5, images),
        logits_binary=np.round(rng.normal(size=images) + 2.0 * malignant - 1.0, digits),
        logits_subtype=np.round(rng.normal(size=(images, 8)) + 1.5 * np.eye(8)[true], digits),
        model_id="test",
    )


@pytest.fixture(scope="session")
def predictions() -> Predictions:
    """Return 240 images of 48 cases, six cases a subtype, held out by folds."""
    return make_predictions()


@pytest.fixture
def handmade() -> Predictions:
    """Five images: case 1 is benign, case 2 malignant with two subtypes, the last image has no subtype."""
    frame = pd.DataFrame(
        {
            "image_id": list("edcba"),
            "path": "",
            "pixel_sha256": "",
            "case_id": ["1", "1", "2", "2", "2"],
            "patient_id": ["1A", "1A", "2A", "2A", ""],
            "magnification": pd.array([40, 100, 400, pd.NA, 40], dtype="Int64"),
            "label": ["benign", "benign", "malignant", "malignant", "malignant"],
            "subtype": ["adenosis", "adenosis", "ductal_carcinoma", "lobular_carcinoma", ""],
        }
    )
    logits = np.zeros((5, 8))
    logits[:, 0] = [3.0, -1.0, 0.0, 0.0, 0.0]
    logits[:, 4] = [0.0, 1.0, 2.0, 0.5, 0.0]
    return assemble_predictions(
        frame,
        protocol="folds",
        fold=np.arange(5),
        logits_binary=np.array([-2.0, 1.0, 3.0, -1.0, 0.5]),
        logits_subtype=logits,
    )
