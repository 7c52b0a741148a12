"""A bundle with a graph of one convolution, made in milliseconds, for the tests of bundles and of what uses them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as op

from lobule.evaluation.decision.operating import Operating, undecided
from lobule.features.statistics import STATISTICS
from lobule.model.bundle import write_bundle
from lobule.model.bundle_record import (
    BackboneRecord,
    BundleRecord,
    Preprocessing,
    Threshold,
    TrainingData,
    temperatures_of,
)
from lobule.model.head import Head
from lobule.model.novelty import Novelty, fit_novelty
from lobule.taxonomy import TASKS, Task, classes_of

INPUT_SIZE = 32
CHANNELS = 6


def write_graph(folder: Path, *, seed: int = 0) -> Path:
    """Write `backbone.xml` and `.bin`: image (n, S, S, 3) -> features (n, C), map (n, S/4, S/4, C)."""
    rng = np.random.default_rng(seed)
    image = op.parameter([-1, INPUT_SIZE, INPUT_SIZE, 3], np.float32, name="image")
    image.output(0).get_tensor().set_names({"image"})
    scaled = op.subtract(op.divide(image, np.float32(127.5)), np.float32(1))
    planes = op.transpose(scaled, np.array([0, 3, 1, 2]))
    kernel = rng.normal(0, 0.2, (CHANNELS, 3, 4, 4)).astype(np.float32)
    convolved = op.relu(op.convolution(planes, kernel, [4, 4], [0, 0], [0, 0], [1, 1]))
    last_map = op.transpose(convolved, np.array([0, 2, 3, 1]))
    features = op.reduce_mean(last_map, np.array([1, 2]), keep_dims=False)
    for node, name in ((features, "features"), (last_map, "map")):
        node.output(0).get_tensor().set_names({name})
    folder.mkdir(parents=True, exist_ok=True)
    openvino.save_model(
        openvino.Model([features, last_map], [image], "tiny"), folder / "backbone.xml", compress_to_fp16=False
    )
    return folder


def make_head(task: Task, *, features: int = CHANNELS, hidden: int = 5, seed: int = 0) -> Head:
    """Return a head with random weights."""
    rng = np.random.default_rng([seed, TASKS.index(task)])
    outputs = 1 if task == "binary" else len(classes_of(task))

    def normal(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.normal(size=shape).astype(np.float32)

    return Head(
        task,
        mean=normal(features) * np.float32(0.1),
        scale=rng.uniform(0.05, 0.2, features).astype(np.float32),
        hidden_kernel=normal(features, hidden),
        hidden_bias=normal(hidden),
        output_kernel=normal(hidden or features, outputs),
        output_bias=normal(outputs),
    )


def make_operating(*, threshold: float = 0.4, temperature: float = 1.0, subtype_temperature: float = 1.5) -> Operating:
    """Return what a tiny model decides with; its cases are decided like its images."""
    plain = undecided(threshold=threshold)
    point = plain.image.model_copy(update={"temperature": temperature})
    changed = {"image": point, "case": point, "subtype_temperature": subtype_temperature, "rule": "chosen for tests"}
    return plain.model_copy(update=changed)


def make_novelty(*, features: int = CHANNELS, seed: int = 0, images: int = 60) -> Novelty:
    """Return the novelty of random features around 1 and of statistics of noise."""
    rng = np.random.default_rng(seed)
    statistics = rng.uniform(0.2, 0.4, (images, len(STATISTICS))).astype(np.float32)
    values = rng.normal(1, 0.2, (images, features)).astype(np.float32)
    return fit_novelty(values, statistics, cases=np.arange(images) // 5)


def make_record(*, tasks: tuple[Task, ...] = TASKS, threshold: float = 0.4) -> BundleRecord:
    """Return a record that fits the tiny graph."""
    operating = make_operating(threshold=threshold)
    return BundleRecord(
        classes={task: classes_of(task) for task in tasks},
        backbone=BackboneRecord(name="tiny", weights="random", feature_size=CHANNELS, map_slice=(0, CHANNELS)),
        input_size=INPUT_SIZE,
        preprocessing=Preprocessing(views=("identity", "flip_horizontal"), graph="x / 127.5 - 1"),
        threshold=Threshold.of(operating),
        temperature=temperatures_of(operating, tasks),
        operating=operating,
        training=TrainingData(dataset_sha256="0" * 64, n_images=10, n_cases=5),
        metrics={"auroc": 0.5, "f1": None},
    )


def write_tiny_bundle(
    folder: Path, *, tasks: tuple[Task, ...] = TASKS, seed: int = 0, novelty: Novelty | None = None
) -> Path:
    """Write a bundle to `folder`; its graph is left in a sibling folder."""
    heads = {task: make_head(task, seed=seed) for task in tasks}
    graph = write_graph(folder.with_name(f"{folder.name}-graph"))
    record = make_record(tasks=tasks)
    return write_bundle(folder, record=record, heads=heads, graph=graph, card="# Tiny\n", novelty=novelty)
