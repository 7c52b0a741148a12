from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lobule.config import Config, load_config
from lobule.errors import ConfigError, VerificationError, WeightsError
from lobule.export import keras_export
from lobule.export.keras_export import export_keras
from lobule.features.build import build_spec
from lobule.features.convert import graph_of
from lobule.features.keras_runtime import import_keras
from lobule.features.spec import EncoderSpec, encoder_spec
from lobule.features.views import apply_view
from lobule.features.weights import finetuned_weights
from lobule.inference.predictor import Predictor
from lobule.model.bundle import write_bundle
from lobule.model.bundle_record import (
    BackboneRecord,
    BundleRecord,
    Preprocessing,
    Threshold,
    TrainingData,
    temperatures_of,
)
from lobule.model.finetune import WEIGHTS_FILE
from lobule.model.head import Head
from lobule.taxonomy import TASKS, Task, classes_of
from tests.model.finetune_job import CHANNELS, SIZE, TINY, tiny_backbone
from tests.model.heads import random_head
from tests.model.tiny_bundle import make_operating

pytestmark = [
    pytest.mark.slow,
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

DIHEDRAL = (
    "identity",
    "flip_horizontal",
    "flip_vertical",
    "rotate_90",
    "rotate_180",
    "rotate_270",
    "transpose",
    "transverse",
)


@pytest.fixture(scope="module", autouse=True)
def _tiny_backbone() -> Iterator[None]:
    with tiny_backbone():
        yield


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", views=("identity", "flip_horizontal"))


def write_run(
    folder: Path, *, views: tuple[str, ...], backbone: str = TINY.name, weights: str = "none", features: int = CHANNELS
) -> Path:
    """Write what export needs of a run folder: the settings and the bundle."""
    settings = {"seed": 3, "features": {"backbone": backbone, "weights": weights, "views": views}}
    config = load_config(settings=settings)
    folder.mkdir()
    (folder / "config.yaml").write_text(config.to_yaml())
    write_model(folder, encoder_spec(config.features, seed=config.seed), config, features)
    return folder


def write_model(folder: Path, spec: EncoderSpec, config: Config, features: int = CHANNELS) -> None:
    heads: dict[Task, Head] = {
        "binary": calm(random_head("binary", features=features, hidden=6)),
        "subtype": calm(random_head("subtype", features=features, hidden=0)),
    }
    operating = make_operating(temperature=1.7, subtype_temperature=0.6)
    record = BundleRecord(
        classes={task: classes_of(task) for task in heads},
        backbone=BackboneRecord(
            name=spec.backbone,
            weights=f"{spec.weights.kind} {spec.weights.digest[:16]}",
            feature_size=features,
            map_slice=(0, features),
        ),
        input_size=spec.architecture.input_size,
        preprocessing=Preprocessing(views=config.features.views, graph="as in the backbone"),
        threshold=Threshold.of(operating),
        temperature=temperatures_of(operating, tuple(heads)),
        operating=operating,
        training=TrainingData(dataset_sha256="0" * 64, n_images=10, n_cases=5),
    )
    write_bundle(folder / "model", record=record, heads=heads, graph=graph_of(spec).parent, card="# Card\n")


def calm(head: Head) -> Head:
    """Return the head with a scale that keeps the probabilities of random features away from 0 and 1."""
    return replace(head, scale=np.full_like(head.scale, 200.0))


def picture(path: Path, *, shape: tuple[int, int] = (50, 70)) -> np.ndarray[Any, np.dtype[np.uint8]]:
    pixels = np.random.default_rng(4).integers(0, 256, (*shape, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_writes_a_model_a_task_that_gives_the_probabilities_of_the_bundle(run: Path, tmp_path: Path) -> None:
    keras = import_keras()
    written = export_keras(run, tmp_path / "out")
    assert [path.name for path in written] == ["binary.keras", "subtype.keras", "README.md"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in written)
    squashed = apply_view(picture(tmp_path / "image.png"), "identity", size=SIZE)
    expected = Predictor(run).predict([tmp_path / "image.png"])
    for path, task in zip(written[:2], TASKS, strict=True):
        model = keras.models.load_model(path, safe_mode=True)
        received = model.predict(squashed[None].astype(np.float32), verbose=0)
        wanted = np.asarray(expected.probabilities(task))
        np.testing.assert_allclose(received.ravel(), wanted.ravel()[-received.size :], atol=1e-4)
        assert 0.001 < received.max() < 0.999


@pytest.mark.parametrize("views", [("identity",), DIHEDRAL])
def test_averages_over_views_inside_the_graph(views: tuple[str, ...], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", views=views)
    model = import_keras().models.load_model(export_keras(run, tmp_path / "out")[0], safe_mode=True)
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    one_by_one = [model.predict(image[None].astype(np.float32), verbose=0).item() for image in images]
    together = model.predict(images.astype(np.float32), verbose=0)[:, 0]
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)
    turned = np.stack([np.rot90(image) for image in images]).astype(np.float32)
    difference = np.abs(model.predict(turned, verbose=0)[:, 0] - together).max()
    assert (difference < 1e-5) == (views == DIHEDRAL)


def test_the_graph_is_flat_and_only_keras(run: Path, tmp_path: Path) -> None:
    path = export_keras(run, tmp_path / "out")[0]
    config = json.loads(zipfile.ZipFile(path).read("config.json"))
    layers = config["config"]["layers"]
    assert {layer["class_name"] for layer in layers}.isdisjoint({"Functional", "Sequential", "Model", "Lambda"})
    assert all(layer["module"].split(".")[0] == "keras" for layer in layers)
    assert all(layer["registered_name"] in (None, layer["class_name"]) for layer in layers)
    assert [layer["config"]["name"] for layer in layers if layer["class_name"] == "InputLayer"] == ["image"]


def test_readme_says_how_and_what_for(run: Path, tmp_path: Path) -> None:
    text = export_keras(run, tmp_path / "out")[-1].read_text()
    assert "For research use only. Not for diagnosis." in text
    assert 'keras.models.load_model("binary.keras", safe_mode=True)' in text
    assert "identity, flip_horizontal" in text
    assert f"resize(({SIZE}, {SIZE})" in text


def test_finetuned_weights_come_from_the_run_folder(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", views=("identity",))
    config = load_config(run / "config.yaml")
    spec = encoder_spec(config.features, seed=config.seed)
    model = build_spec(spec)
    model.get_layer("block2_conv1").set_weights(
        [0.9 * array for array in model.get_layer("block2_conv1").get_weights()]
    )
    path = run / "checkpoints" / WEIGHTS_FILE
    path.parent.mkdir()
    model.save_weights(str(path))
    write_model(run, replace(spec, weights=finetuned_weights(path, spec.architecture)), config)
    assert len(export_keras(run, tmp_path / "out")) == 3
    moved = tmp_path / "moved.weights.h5"
    path.rename(moved)
    with pytest.raises(WeightsError, match=r"checkpoints/finetuned\.weights\.h5: no such file"):
        export_keras(run, tmp_path / "out")
    assert len(export_keras(run, tmp_path / "out", weights=moved)) == 3


def test_a_bundle_alone_says_what_is_needed(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "model", tmp_path / "alone")
    with pytest.raises(WeightsError, match="the seed of its random filters is needed too"):
        export_keras(tmp_path / "alone", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_weights_than_the_bundles_are_refused(run: Path, tmp_path: Path) -> None:
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("seed: 3", "seed: 4", 1))
    with pytest.raises(WeightsError, match="name the file that it was made from"):
        export_keras(run, tmp_path / "out")


def test_crops_are_refused_with_the_reason(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", views=("identity", "crop_centre"))
    with pytest.raises(ConfigError, match=r"averages over crop_centre, which are cut from the image before"):
        export_keras(run, tmp_path / "out")


def test_a_model_that_differs_is_not_left_behind(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(keras_export._TURNS, "flip_horizontal", (False, (1,)))
    monkeypatch.setattr(keras_export, "LARGEST_DIFFERENCE", 1e-7)
    with pytest.raises(VerificationError, match="its probabilities differ by"):
        export_keras(run, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.keras"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "features"),
    [("mobilenet_v2", 1280), ("convnext_tiny", 768)],
)
def test_every_kind_of_backbone_reloads_in_safe_mode(name: str, features: int, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", views=("identity", "flip_vertical"), backbone=name, features=features)
    assert len(export_keras(run, tmp_path / "out")) == 3
