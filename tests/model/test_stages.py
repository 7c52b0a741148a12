"""The two stages: which fits are trained, in what order, and what is said of whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lobule.config import Config, load_config
from lobule.data.images import decode, pixel_sha256
from lobule.data.manifest import Manifest
from lobule.evaluation.columns import HISTORY_COLUMNS
from lobule.features.extract import Features
from lobule.features.spec import EncoderSpec
from lobule.features.weights import ResolvedWeights
from lobule.model import stages
from lobule.model.plan import Fit, plan_fits
from lobule.model.stages import Trained, finetune, train_heads
from lobule.pipeline import train
from lobule.taxonomy import SUBTYPES, TASKS, Task
from tests.model import finetune_job
from tests.runs import content_of, write_own_folder

COUNT, FEATURES = 24, 6
FITS = plan_fits(np.arange(COUNT) // 2 % 3, np.arange(COUNT) // 2 % 4 == 0)
SPEC = EncoderSpec("vgg16", ResolvedWeights("none", None, "0" * 64, "vgg16"))
CONFIG = load_config(settings={"head": {"hidden": 8, "max_epochs": 2}})


def manifest_of(subtypes: Mapping[int, str], root: Path = Path()) -> Manifest:
    rows = [
        {
            "image_id": f"{number:02d}",
            "path": f"{number:02d}.png",
            "pixel_sha256": f"{number:064x}",
            "width": 8,
            "height": 8,
            "label": ("malignant" if SUBTYPES.index(subtypes[number]) > 3 else "benign")
            if number in subtypes
            else ("benign", "malignant")[number // 2 % 2],
            "subtype": subtypes.get(number, ""),
            "patient_id": f"case-{number // 2}",
            "case_id": f"case-{number // 2}",
        }
        for number in range(COUNT)
    ]
    return Manifest.from_rows(rows, root=root)


def every_subtype() -> dict[int, str]:
    return {number: SUBTYPES[number // 2 % 8] for number in range(COUNT)}


def features_of() -> Features:
    values = np.random.default_rng(0).normal(size=(2, COUNT, FEATURES)).astype(np.float32)
    return Features(values, ("identity", "flip_horizontal"), SPEC)


@pytest.mark.slow
@pytest.mark.keras
def test_each_fit_gets_a_head_a_task_and_says_something_of_what_it_held_out() -> None:
    features = features_of()
    trained = train_heads(manifest_of(every_subtype()), features, FITS, config=CONFIG)
    assert [fit.protocol for fit in FITS] == ["folds"] * 3 + ["holdout", "final"]
    for task in TASKS:
        outputs = 1 if task == "binary" else 8
        assert len(trained.heads[task]) == len(trained.epochs[task]) == len(FITS)
        for head, fit, logits in zip(trained.heads[task], FITS, trained.logits[task], strict=True):
            assert logits.shape == (fit.validation.sum(), outputs)
            expected = head.logits(features.values[:, fit.validation]).mean(axis=0)
            np.testing.assert_allclose(logits, expected, rtol=1e-6)
        assert trained.shipped[task] is trained.heads[task][-1]
    assert tuple(trained.history.columns) == HISTORY_COLUMNS
    assert trained.encoders == [SPEC] * len(FITS)


@pytest.mark.keras
def test_without_subtypes_there_is_no_subtype_head() -> None:
    trained = train_heads(manifest_of({}), features_of(), FITS, config=CONFIG)
    assert set(trained.heads) == {"binary"}
    assert set(trained.history["task"]) == {"binary"}


@pytest.mark.slow
@pytest.mark.keras
def test_subtypes_that_are_known_of_one_fold_only_are_not_trained() -> None:
    # Images 0, 1 and 6, 7 are all in fold 0, which therefore has no subtype to learn from.
    known = {0: "adenosis", 1: "adenosis", 6: "ductal_carcinoma", 7: "ductal_carcinoma"}
    assert set(FITS[0].validation.nonzero()[0]) >= set(known)
    assert set(train_heads(manifest_of(known), features_of(), FITS, config=CONFIG).heads) == {"binary"}
    elsewhere = known | {2: "adenosis"}
    trained = train_heads(manifest_of(elsewhere), features_of(), FITS, config=CONFIG)
    assert all(np.isfinite(logits).all() for logits in trained.logits["subtype"])


class Recorder:
    """Stands for `finetune_once`: notes what is asked for, and answers at once."""

    def __init__(self, best_epochs: Mapping[str, int]) -> None:
        self.asked: list[tuple[str, int, Path]] = []
        self.best = best_epochs

    def __call__(self, examples: Any, fit: Fit, *, heads: Any, plan: Any, folder: Path, progress: Any) -> Any:
        name = f"{fit.protocol}{fit.fold if fit.fold >= 0 else ''}"
        self.asked.append((name, plan.epochs, folder))
        epochs = range(1, plan.epochs + 1)
        size = int(fit.validation.sum())
        by_epoch = [
            {
                task: np.full((size, 1 if task == "binary" else 8), 100 * fit.fold + epoch, dtype=np.float32)
                for task in heads
            }
            for epoch in epochs
        ]
        row = ("binary", fit.protocol, fit.fold, plan.first_epoch, 0.5, 0.5, 0.5, 0.5)
        return stages_result(SPEC, heads, self.best.get(name, plan.epochs), by_epoch, row)


def stages_result(
    encoder: EncoderSpec, heads: Any, best: int, by_epoch: list[dict[Task, Any]], row: tuple[Any, ...]
) -> Any:
    from lobule.model.finetune import Finetuned

    return Finetuned(
        encoder=EncoderSpec(encoder.backbone, encoder.weights, seed=best),
        heads=heads,
        best_epoch=best,
        logits_of_epochs=tuple(by_epoch),
        history=pd.DataFrame([row], columns=list(HISTORY_COLUMNS)),
    )


@pytest.fixture
def images(tmp_path: Path) -> Manifest:
    manifest = manifest_of(every_subtype(), tmp_path)
    for number, path in enumerate(manifest.paths):
        Image.fromarray(np.full((8, 8, 3), 10 * number, dtype=np.uint8)).save(path)
    digests = [pixel_sha256(decode(path)) for path in manifest.paths]
    return Manifest(manifest.frame.assign(pixel_sha256=digests), tmp_path)


def frozen() -> Trained:
    return Trained(
        encoders=[SPEC] * len(FITS),
        heads={"binary": [object()] * len(FITS), "subtype": [object()] * len(FITS)},  # type: ignore[list-item]
        logits={
            "binary": [np.zeros((int(fit.validation.sum()), 1), np.float32) for fit in FITS],
            "subtype": [np.zeros((int(fit.validation.sum()), 8), np.float32) for fit in FITS],
        },
        epochs={"binary": [1] * len(FITS), "subtype": [1] * len(FITS)},
        history=pd.DataFrame([("binary", "folds", 0, 1, 0.5, 0.5, 0.5, 0.5)], columns=list(HISTORY_COLUMNS)),
    )


def config_of(*, folds: bool) -> Config:
    return load_config(settings={"finetune": {"blocks": 1, "epochs": 9, "folds": folds}, "head": {"max_epochs": 2}})


def test_fine_tuning_the_holdout_decides_the_epochs_of_the_final_model(
    images: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder({"holdout": 4})
    monkeypatch.setattr(stages, "finetune_once", recorder)
    before = frozen()
    tuned = finetune(before, images, FITS, config=config_of(folds=False), run=tmp_path / "run")
    assert [(name, epochs) for name, epochs, _ in recorder.asked] == [("holdout", 9), ("final", 4)]
    assert len({folder for *_, folder in recorder.asked}) == 2
    for index in range(3):
        assert tuned.encoders[index] is SPEC
        assert tuned.logits["binary"][index] is before.logits["binary"][index]
    assert (tuned.logits["binary"][3] == -100 + 4).all()
    assert tuned.shipped == {task: heads[-1] for task, heads in before.heads.items()}
    assert len(tuned.history) == 3
    assert tuned.epochs == before.epochs


def test_a_fine_tuned_fold_is_predicted_at_the_epoch_that_the_other_folds_chose(
    images: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder({"folds0": 1, "folds1": 5, "folds2": 7, "holdout": 9})
    monkeypatch.setattr(stages, "finetune_once", recorder)
    tuned = finetune(frozen(), images, FITS, config=config_of(folds=True), run=tmp_path / "run")
    assert [name for name, *_ in recorder.asked] == ["folds0", "folds1", "folds2", "holdout", "final"]
    assert recorder.asked[-1][1] == 6
    chosen = [int(logits[0, 0]) - 100 * fold for fold, logits in enumerate(tuned.logits["subtype"][:3])]
    assert chosen == [6, 4, 3]
    assert [encoder.seed for encoder in tuned.encoders[:3]] == [1, 5, 7]


@pytest.mark.slow
@pytest.mark.keras
def test_a_run_with_fine_tuning_ships_the_tuned_backbone_and_repeats_itself(tmp_path: Path) -> None:
    data = write_own_folder(tmp_path / "data")
    config = load_config(
        settings={
            "data": {"group": "image", "folds": 2},
            "features": {"backbone": finetune_job.TINY.name, "weights": "none", "views": ["identity"]},
            "head": {"hidden": 8, "max_epochs": 2},
            "finetune": {"blocks": 1, "epochs": 1, "learning_rate": 1e-3, "batch_size": 4},
            "report": {"bootstrap": 0, "gallery": 1},
        }
    )
    with finetune_job.tiny_backbone():
        run = train(data, tmp_path / "run", config=config)
        again = train(data, tmp_path / "again", config=config)
    assert content_of(again.folder) == content_of(run.folder)
    history = pd.read_csv(run.folder / "history.csv")
    assert history.loc[history["protocol"] == "holdout", "epoch"].tolist() == [1, 2, 3]
    bundle = json.loads((run.folder / "model" / "bundle.json").read_text())
    assert bundle["backbone"]["weights"].startswith("finetuned")
    assert "The shipped model was fine-tuned" in (run.folder / "report.html").read_text()
