"""The whole job in 8-bit integers: what is trained on is shipped, and only training images are calibrated with."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from lobule.config import Config, FeatureSettings
from lobule.data.manifest import Manifest
from lobule.data.phantom import PhantomSummary
from lobule.evaluation.predictions import Predictions
from lobule.features.precision import settle
from lobule.features.spec import EncoderSpec
from lobule.inference.predictor import Predictor
from lobule.model.bundle import open_bundle
from lobule.pipeline import train
from tests.runs import QUICK
from tests.tiny_backbone import install_tiny_graph, tiny_backbone


@pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="the extra int8 is not installed")
def test_a_run_in_int8_ships_what_it_trained_on(
    phantom: PhantomSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def recording(spec: EncoderSpec, settings: FeatureSettings, training: Manifest, **options: object) -> EncoderSpec:
        seen.extend(training.frame["image_id"])
        return settle(spec, settings, training, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("lobule.pipeline.settle", recording)
    features = QUICK.features.model_copy(update={"precision": "int8"})
    config: Config = QUICK.model_copy(update={"features": features})
    with tiny_backbone():
        install_tiny_graph()
        run = train(phantom.folder, tmp_path / "run", config=config)
    holdout = json.loads((run.folder / "split.json").read_text())["holdout"]
    assert seen
    assert set(seen) == set(holdout["train"])
    assert json.loads((run.folder / "run.json").read_text())["precision"] == "int8"
    bundle = open_bundle(run.folder)
    assert (bundle.record.precision, bundle.running_graph.name) == ("int8", "backbone_int8.xml")
    assert "calibrated on unlabelled training images" in (bundle.folder / "README.md").read_text()
    manifest = Manifest.read(run.folder / "manifest.csv", root=phantom.folder)
    answered = Predictor(bundle).predict(manifest.paths[:4])
    assert np.isfinite(answered.frame["logit_malignant"]).all()
    assert len(Predictions.read(run.folder / "predictions.csv").frame) >= len(manifest)
