from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lobule.config import load_config
from lobule.errors import ConfigError, DataError
from lobule.evaluation.columns import HISTORY_COLUMNS
from lobule.features.backbones import backbone
from lobule.features.build import build, build_spec
from lobule.features.convert import graph_of
from lobule.features.openvino_engine import load_graph
from lobule.features.spec import encoder_spec
from lobule.features.views import apply_view
from lobule.features.weights import resolve_weights
from lobule.model.finetune import CHECKPOINT_FILE, WEIGHTS_FILE, Finetuned, FinetunePlan, finetune_once, training_folder
from lobule.model.head import Head
from lobule.model.image_source import open_images
from lobule.model.joint import build_joint, unfreeze
from lobule.model.plan import Fit
from lobule.taxonomy import Task
from tests.model.finetune_job import (
    SIZE,
    VALIDATION,
    examples_of,
    fit_of,
    heads_of,
    paint,
    plan_of,
    run,
    tiny_backbone,
)
from tests.model.heads import random_head

pytestmark = [
    pytest.mark.slow,
    pytest.mark.keras,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation:DeprecationWarning"
    ),  # Keras 3.15 saving TensorFlow variables
]


@pytest.fixture(scope="module", autouse=True)
def _tiny_backbone() -> Iterator[None]:
    with tiny_backbone():
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    paint(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finetuned]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, run(images, folder)


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_unfreezes_exactly_the_last_blocks_without_their_normalisation(blocks: int) -> None:
    network = backbone("mobilenet_v2")
    model = build(network, resolve_weights("none", network, seed=0), seed=0)
    unfreeze(model, network, blocks)
    open_layers = {layer.name for layer in model.layers if layer.trainable_variables}
    wanted = tuple(prefix for block in network.blocks[len(network.blocks) - blocks :] for prefix in block)
    expected = {
        layer.name
        for layer in model.layers
        if layer.weights and layer.name.startswith(wanted) and "BN" not in layer.name and "bn" not in layer.name
    }
    assert open_layers == (expected if blocks else set())
    assert blocks == 0 or "Conv_1" in open_layers


def test_more_blocks_than_there_are_is_an_error_that_counts_them() -> None:
    network = backbone("convnext_tiny")
    with pytest.raises(ConfigError, match=r"finetune\.blocks: convnext_tiny has 4 blocks, received 5"):
        unfreeze(None, network, 5)


def test_starts_from_the_logits_of_the_frozen_stage(images: Path) -> None:
    plan, heads = plan_of(), heads_of()
    joint = build_joint(
        plan.encoder, heads, finetune=plan.config.finetune, head=plan.config.head, seed=plan.config.seed
    )
    pixels = examples_of(images).images.take(np.arange(3)).astype(np.float32)
    features = np.asarray(build_spec(plan.encoder)(pixels)[0])
    logits = joint.model.predict_on_batch(pixels)
    for task, head in heads.items():
        np.testing.assert_allclose(np.asarray(logits[task]), head.logits(features), rtol=1e-4, atol=1e-4)


def test_history_has_a_row_a_task_and_epoch_that_go_on_from_the_frozen_stage(
    undisturbed: tuple[Path, Finetuned],
) -> None:
    history = undisturbed[1].history
    assert tuple(history.columns) == HISTORY_COLUMNS
    assert [tuple(row) for row in history[["task", "protocol", "fold", "epoch"]].to_numpy()] == [
        (task, "holdout", -1, epoch) for epoch in (41, 42, 43) for task in ("binary", "subtype")
    ]
    assert np.isfinite(history[["train_loss", "validation_loss"]].to_numpy(dtype=float)).all()
    accuracies = history[["train_accuracy", "validation_accuracy"]].to_numpy(dtype=float)
    assert ((accuracies >= 0) & (accuracies <= 1)).all()


def test_the_best_epoch_has_the_lowest_validation_loss(undisturbed: tuple[Path, Finetuned]) -> None:
    result = undisturbed[1]
    losses = result.history.groupby("epoch")["validation_loss"].sum()
    assert result.best_epoch == 1 + int(np.argmin(losses.to_numpy()))
    assert len(result.logits_of_epochs) == 3
    assert result.logits is result.logits_of_epochs[result.best_epoch - 1]


def test_frozen_layers_stay_bit_identical_and_open_ones_move(undisturbed: tuple[Path, Finetuned]) -> None:
    encoder = plan_of().encoder
    before, after = build_spec(encoder), build_spec(undisturbed[1].encoder)
    moved = moved_layers(before, after)
    assert moved == {"block2_conv1", "block2_conv2"}


def test_the_graph_of_the_bundle_gives_the_logits_of_the_training(
    images: Path, undisturbed: tuple[Path, Finetuned]
) -> None:
    result, examples = undisturbed[1], examples_of(images)
    engine = load_graph(graph_of(result.encoder))
    views = plan_of().config.features.views
    pixels = examples.images.take(np.flatnonzero(fit_of().validation))
    seen = [np.stack([apply_view(image, view, size=SIZE) for image in pixels]) for view in views]
    features = np.stack([engine.encode(view) for view in seen])
    assert len(views) == 2
    for task, head in result.heads.items():
        expected = head.logits(features).mean(axis=0)
        np.testing.assert_allclose(result.logits[task], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_the_same_training_gives_the_same_result_and_another_seed_another(
    images: Path, undisturbed: tuple[Path, Finetuned], tmp_path: Path
) -> None:
    assert_same(undisturbed[1], run(images, tmp_path / "again"))
    other = run(images, tmp_path / "other", seed=1, epochs=1)
    assert not np.array_equal(
        other.history["train_loss"].to_numpy(), undisturbed[1].history["train_loss"].to_numpy()[:2]
    )


def test_a_finished_training_is_not_repeated(
    images: Path, undisturbed: tuple[Path, Finetuned], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, result = undisturbed
    monkeypatch.setattr("lobule.model.finetune._Training.run_epoch", None)
    assert_same(result, run(images, folder))


@pytest.mark.slow
def test_a_checkpoint_of_another_training_is_not_used(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path, epochs=1)
    (tmp_path / CHECKPOINT_FILE).write_bytes((tmp_path / CHECKPOINT_FILE).read_bytes()[:1000])
    truncated = run(images, tmp_path, epochs=1)
    other = run(images, tmp_path, epochs=1, seed=5)
    assert not np.array_equal(other.logits["binary"], truncated.logits["binary"])


@pytest.mark.slow
@pytest.mark.shared
def test_normalisation_keeps_its_statistics_in_training(shared: Path, images: Path, tmp_path: Path) -> None:
    weights = str(shared / "weights/mobilenet_v2_imagenet_notop.weights.h5")
    settings = {"features": {"backbone": "mobilenet_v2", "weights": weights}, "finetune": {"blocks": 1}}
    config = load_config(settings=settings)
    heads: dict[Task, Head] = {"binary": random_head("binary", features=1280, hidden=0)}
    pixels = open_images(examples_of(images).images.paths, size=224)
    examples = replace(examples_of(images), images=pixels)
    plan = FinetunePlan(encoder_spec(config.features, seed=0), config, epochs=1)
    result = finetune_once(examples, fit_of(), heads=heads, plan=plan, folder=tmp_path)
    moved = moved_layers(build_spec(plan.encoder), build_spec(result.encoder))
    assert {"Conv_1", "block_16_project"} <= moved
    assert not any("BN" in name or "bn" in name for name in moved)


@pytest.mark.slow
def test_killed_and_repeated_equals_undisturbed(
    images: Path, undisturbed: tuple[Path, Finetuned], tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.model.finetune_job", str(images), str(tmp_path)],
        env={**os.environ, "LOBULE_TEST_LINGER": "1"},
    )
    deadline = time.monotonic() + 240
    while not (tmp_path / CHECKPOINT_FILE).exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert (tmp_path / CHECKPOINT_FILE).exists()
    assert not (tmp_path / WEIGHTS_FILE).exists()
    assert_same(undisturbed[1], run(images, tmp_path))


def test_without_validation_images_the_last_epoch_is_used(images: Path, tmp_path: Path) -> None:
    everything = np.ones(len(VALIDATION), dtype=bool)
    result = run(images, tmp_path, fit=Fit("final", -1, everything, ~everything), epochs=2)
    assert result.best_epoch == 2
    assert result.logits["subtype"].shape == (0, 8)
    assert result.history["validation_loss"].isna().all()
    assert (result.history["protocol"] == "final").all()


def test_one_task_alone(images: Path, tmp_path: Path) -> None:
    heads: dict[Task, Head] = {"binary": heads_of()["binary"]}
    result = finetune_once(examples_of(images), fit_of(), heads=heads, plan=plan_of(epochs=1), folder=tmp_path)
    assert list(result.heads) == ["binary"]
    assert list(result.history["task"]) == ["binary"]
    assert 0 <= result.history["train_accuracy"].item() <= 1


def test_nothing_to_train_on_is_an_error(images: Path, tmp_path: Path) -> None:
    nothing = np.zeros(len(VALIDATION), dtype=bool)
    with pytest.raises(DataError, match="no image is trained on"):
        run(images, tmp_path, fit=Fit("holdout", -1, nothing, VALIDATION))


def test_every_training_of_a_run_has_a_folder_of_its_own() -> None:
    nothing = np.zeros(1, dtype=bool)
    fits = [Fit("folds", 0, nothing, nothing), Fit("folds", 1, nothing, nothing)]
    fits += [Fit("holdout", -1, nothing, nothing), Fit("final", -1, nothing, nothing)]
    folders = [training_folder(Path("run"), fit) for fit in fits]
    assert len(set(folders)) == 4
    assert folders[-1] / WEIGHTS_FILE == Path("run/checkpoints/finetuned.weights.h5")


def moved_layers(before: Any, after: Any) -> set[str]:
    return {
        one.name
        for one, other in zip(before.layers, after.layers, strict=True)
        if not all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
    }


def assert_same(one: Finetuned, other: Finetuned) -> None:
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)
    assert one.best_epoch == other.best_epoch
    assert len(one.logits_of_epochs) == len(other.logits_of_epochs)
    for mine, theirs in zip(one.logits_of_epochs, other.logits_of_epochs, strict=True):
        for task in mine:
            np.testing.assert_array_equal(mine[task], theirs[task])
    for task in one.heads:
        for name in ("hidden_kernel", "output_kernel", "output_bias", "mean", "scale"):
            np.testing.assert_array_equal(getattr(one.heads[task], name), getattr(other.heads[task], name))
    assert not moved_layers(build_spec(one.encoder), build_spec(other.encoder))
