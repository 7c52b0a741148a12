from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lobule.errors import ConfigError
from lobule.inference.heatmap import HeatMap, class_activation, default_class, explain, overlay
from lobule.taxonomy import SUBTYPES, TASKS, Task
from tests.inference.conftest import noise
from tests.model.tiny_bundle import make_head

WHOLE = slice(0, 6)


def _last_map(seed: int = 0, *, height: int = 4, width: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).gamma(1.0, 1.0, (height, width, 6)).astype(np.float32)


def _heat_map(values: object) -> HeatMap:
    return HeatMap(np.array(values, np.float32), "binary", "malignant", 0.0)


@given(seed=st.integers(0, 10_000), height=st.integers(1, 9), width=st.integers(1, 9), task=st.sampled_from(TASKS))
def test_a_linear_head_is_decomposed_exactly(seed: int, height: int, width: int, task: Task) -> None:
    head = make_head(task, hidden=0, seed=seed)
    last_map = _last_map(seed, height=height, width=width)
    features = last_map.mean(axis=(0, 1))
    contributions = class_activation(last_map, head.gradient(features, 0))
    constant = head.logits(np.zeros(6, np.float32))[0]
    assert contributions.sum() + constant == pytest.approx(head.logits(features)[0], rel=1e-3, abs=1e-3)


def test_only_evidence_for_the_class_is_shown() -> None:
    head, last_map = make_head("binary", hidden=0), _last_map()
    features = last_map.mean(axis=(0, 1))
    malignant = explain(head, features, last_map, toward="malignant", part=WHOLE)
    benign = explain(head, features, last_map, toward="benign", part=WHOLE)
    contributions = class_activation(last_map, head.gradient(features))
    np.testing.assert_allclose(malignant.values - benign.values, contributions, atol=1e-6)
    assert (malignant.values * benign.values == 0).all()
    assert malignant.logit == -benign.logit == pytest.approx(float(head.logits(features)[0]))
    assert max(malignant.peak, benign.peak) > 0
    assert malignant.peak == malignant.values.max()


def test_each_subtype_has_a_map_of_its_own() -> None:
    head, last_map = make_head("subtype"), _last_map()
    features = last_map.mean(axis=(0, 1))
    maps = {name: explain(head, features, last_map, toward=name, part=WHOLE) for name in SUBTYPES}
    assert len({heat_map.values.tobytes() for heat_map in maps.values()}) == len(SUBTYPES)
    np.testing.assert_allclose([maps[name].logit for name in SUBTYPES], head.logits(features), rtol=1e-5)


def test_only_the_part_that_the_map_averages_to_is_used() -> None:
    head = make_head("binary", features=10, hidden=0)
    last_map = _last_map()
    features = np.concatenate([np.ones(4, np.float32), last_map.mean(axis=(0, 1))])
    heat_map = explain(head, features, last_map, toward="malignant", part=slice(4, 10))
    expected = class_activation(last_map, head.gradient(features)[4:])
    np.testing.assert_array_equal(heat_map.values, np.maximum(expected, 0))


def test_a_class_of_the_other_task_is_refused() -> None:
    with pytest.raises(ConfigError, match="'adenosis' is no class of the binary task"):
        explain(make_head("binary"), np.zeros(6, np.float32), _last_map(), toward="adenosis", part=WHOLE)


def test_the_class_that_is_explained_by_default() -> None:
    logits = np.arange(8.0)
    logits[3] = 99
    assert default_class("subtype", logits) == "tubular_adenoma"
    assert default_class("binary", np.array([-5.0])) == "malignant"


@pytest.mark.keras
def test_grad_cam_is_what_automatic_differentiation_gives() -> None:
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the oracle is TensorFlow's gradient tape")
    import tensorflow as tf

    for task in TASKS:
        outputs = 1 if task == "binary" else len(SUBTYPES)
        head = make_head(task, hidden=5, seed=4)
        image = keras.Input((12, 15, 3))
        last_map = keras.layers.Conv2D(6, 3, activation="relu", kernel_initializer=keras.initializers.HeNormal(seed=1))(
            image
        )
        features = keras.layers.GlobalAveragePooling2D()(last_map)
        standardised = keras.layers.Normalization(mean=head.mean, variance=head.scale.astype(np.float64) ** 2)(features)
        hidden, output = keras.layers.Dense(5, activation="relu"), keras.layers.Dense(outputs)
        model = keras.Model(image, [last_map, features, output(hidden(standardised))])
        hidden.set_weights([head.hidden_kernel, head.hidden_bias])
        output.set_weights([head.output_kernel, head.output_bias])
        extractor = keras.Model(image, last_map)
        classifier = keras.Sequential([keras.layers.GlobalAveragePooling2D(), *model.layers[3:]])
        pixels = np.random.default_rng(5).uniform(0, 1, (1, 12, 15, 3)).astype(np.float32)
        for index, toward in enumerate(("malignant",) if task == "binary" else SUBTYPES):
            with tf.GradientTape() as tape:
                activation = extractor(pixels)
                tape.watch(activation)
                logit = classifier(activation)[0, index]
            weights = tf.reduce_mean(tape.gradient(logit, activation), axis=(1, 2))
            expected = tf.nn.relu(tf.einsum("nhwc,nc->nhw", activation, weights))[0].numpy()
            ours = explain(head, np.asarray(model(pixels)[1])[0], activation[0].numpy(), toward=toward, part=WHOLE)
            np.testing.assert_allclose(ours.values, expected, rtol=1e-5, atol=1e-5)
            assert ours.logit == pytest.approx(float(logit), rel=1e-4, abs=1e-4)
            assert task == "subtype" or expected.max() > 0


def test_the_overlay_is_the_image_where_there_is_no_evidence() -> None:
    image = noise(0)
    np.testing.assert_array_equal(overlay(image, _heat_map(np.zeros((3, 3)))), image)
    left = _heat_map([[1.0, 0, 0, 0]] * 4)
    shown = overlay(image, left)
    assert shown.shape == image.shape
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[:, -20:], image[:, -20:])
    assert (shown[:, :8] != image[:, :8]).mean() > 0.9


def test_the_strongest_evidence_is_the_lightest_and_tissue_stays_visible() -> None:
    dark = np.zeros((40, 60, 3), np.uint8)
    values = np.outer(np.ones(4), np.linspace(0, 1, 6))
    lightness = overlay(dark, _heat_map(values)).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness.mean(axis=0)) > -0.5).all()
    assert lightness[:, -1].mean() > 100
    white = np.full_like(dark, 255)
    difference = overlay(white, _heat_map(values)).astype(float) - overlay(dark, _heat_map(values))
    assert difference.min() == pytest.approx(0.4 * 255, abs=2)


def test_a_common_maximum_makes_images_comparable() -> None:
    image = np.full((16, 16, 3), 128, np.uint8)
    weak, strong = _heat_map(np.full((2, 2), 1.0)), _heat_map(np.full((2, 2), 2.0))
    np.testing.assert_array_equal(overlay(image, weak), overlay(image, strong))
    change = [np.abs(overlay(image, each, maximum=2.0).astype(int) - 128).sum() for each in (weak, strong)]
    assert change[0] < change[1]
    np.testing.assert_array_equal(overlay(image, strong, maximum=2.0), overlay(image, strong))


def test_the_overlay_lies_where_the_evidence_is() -> None:
    values = np.zeros((7, 7))
    values[1, 5] = 1
    shown = overlay(np.zeros((70, 140, 3), np.uint8), _heat_map(values)).sum(axis=2)
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert (int(row) // 10, int(column) // 20) == (1, 5)


@pytest.mark.parametrize("options", [{"maximum": 0.0}, {"maximum": float("nan")}, {"strength": 1.5}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        overlay(noise(0), _heat_map([[1.0]]), **options)


def test_the_palette_is_viridis() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    strip = overlay(np.zeros((1, 256, 3), np.uint8), _heat_map(np.linspace(0, 1, 256)[None]), strength=1.0)
    share = np.linspace(0, 1, 256)[:, None]
    expected = matplotlib.colormaps["viridis"](np.linspace(0, 1, 256))[:, :3] * 255 * share
    assert np.abs(strip[0] - expected).max() < 8
