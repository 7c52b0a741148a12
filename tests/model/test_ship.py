from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lobule.data.manifest import Manifest
from lobule.evaluation.decision.decide import decide
from lobule.evaluation.decision.operating import undecided
from lobule.evaluation.predictions import Predictions
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.model.bundle import open_bundle
from lobule.model.ship import ship
from lobule.pipeline import Run, recorded_data
from lobule.report.card import summarise
from lobule.taxonomy import TASKS
from tests.runs import QUICK
from tests.tiny_backbone import TINY, tiny_backbone


@pytest.fixture
def spec(finished: Run) -> Iterator[EncoderSpec]:
    with tiny_backbone():
        yield encoder_spec(QUICK.features, seed=0)


@pytest.fixture
def manifest(finished: Run) -> Manifest:
    return Manifest.read(finished.folder / "manifest.csv", root=recorded_data(finished.folder))


def test_a_bundle_says_what_it_is_and_what_it_was_made_of(
    finished: Run, manifest: Manifest, spec: EncoderSpec, tmp_path: Path
) -> None:
    heads = open_bundle(finished.folder).heads
    data = replace(summarise(manifest, group_by="patient"), synthetic=True)
    ship(
        tmp_path / "model",
        manifest,
        spec,
        heads,
        finished.metrics,
        operating=undecided(),
        config=QUICK,
        name="my model",
        data=data,
    )
    bundle = open_bundle(tmp_path / "model")
    record = bundle.record
    assert record.tasks == TASKS
    assert (record.backbone.name, record.backbone.feature_size, record.input_size) == ("tiny", 8, TINY.input_size)
    assert record.backbone.map_slice == (0, 8)
    assert record.backbone.weights == f"none {spec.weights.digest[:16]}"
    assert record.training.dataset_sha256 == manifest.digest
    assert (record.training.n_images, record.training.n_cases) == (64, 16)
    assert sum(record.training.images_by_class[name] for name in ("benign", "malignant")) == 64
    assert record.operating == undecided()
    assert record.threshold.value == 0.5
    assert (record.novelty, bundle.novelty) == (None, None)
    assert record.temperature == {"binary": 1.0, "subtype": 1.0}
    measured = finished.metrics.value("binary", "auroc", level="case")
    shown = record.metrics["binary case auroc"]
    assert isinstance(shown, dict)
    assert shown["value"] == measured
    card = (tmp_path / "model" / "README.md").read_text()
    assert card.startswith("# my model\n")
    assert "split by patient id" in card
    assert "ynthetic" in card


def test_the_same_model_has_the_same_id_and_other_heads_another(
    finished: Run, manifest: Manifest, spec: EncoderSpec, tmp_path: Path
) -> None:
    bundle = open_bundle(finished.folder)
    changed = {task: replace(head, output_bias=head.output_bias + 1) for task, head in bundle.heads.items()}
    operating = decide(Predictions.read(finished.folder / "predictions.csv"), QUICK.decision).pooled
    ids = []
    for name, heads in (("same", bundle.heads), ("other", changed)):
        data = summarise(manifest)
        ship(
            tmp_path / name,
            manifest,
            spec,
            heads,
            finished.metrics,
            operating=operating,
            config=QUICK,
            name="any",
            data=data,
            novelty=bundle.novelty,
        )
        ids.append(open_bundle(tmp_path / name).record.model_id)
    assert ids[0] == bundle.record.model_id != ids[1]
