"""The starter model on real images: those that it was trained on, and what it must not judge."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import lobule
from lobule.data.scan import scan
from lobule.starter import starter_bundle

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def _answers(folder: Path, step: int = 1) -> pd.DataFrame:
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")]
    assert files
    return lobule.load(starter_bundle()).predict(files[::step]).frame


def test_what_it_was_trained_on_is_told_apart(shared: Path) -> None:
    manifest = scan(shared / "breakhis").manifest
    assert manifest.digest == lobule.load().bundle.record.training.dataset_sha256
    frame = lobule.load().predict(manifest.paths[::4]).frame
    known = frame[frame["label"] != ""]
    assert len(known) == len(frame)
    assert roc_auc_score(known["label"] == "malignant", known["prob_malignant"]) > 0.9
    assert (known["verdict"] == "not assessable").mean() < 0.03


def test_photographs_are_refused(shared: Path) -> None:
    frame = _answers(shared / "other" / "natural")
    assert (frame["verdict"] == "not assessable").mean() >= 0.9
