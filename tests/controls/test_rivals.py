from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lobule.controls.colour_only import COLOUR_NUMBERS, colour_numbers
from lobule.controls.logistic import PLAIN_C, logistic_logits
from lobule.model.plan import plan_fits


def _flat(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((8, 8, 3), colour, dtype=np.uint8)


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
    ],
)
def test_colours_are_the_published_lab_values(colour: tuple[int, int, int], lab: tuple[float, ...]) -> None:
    numbers = colour_numbers(_flat(colour))
    assert numbers.shape == (COLOUR_NUMBERS,)
    np.testing.assert_allclose(numbers[:3], lab, atol=0.05)
    np.testing.assert_allclose(numbers[3:6], 0, atol=1e-3)
    for percentile in range(3):
        np.testing.assert_allclose(numbers[6 + 3 * percentile : 9 + 3 * percentile], lab, atol=0.05)


def test_colour_numbers_know_nothing_of_where_a_pixel_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    shuffled = np.random.default_rng(1).permutation(image.reshape(-1, 3)).reshape(image.shape)
    np.testing.assert_allclose(colour_numbers(image), colour_numbers(shuffled), rtol=1e-4, atol=1e-3)


def test_the_plain_recipe_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(1, 60, 7)).astype(np.float32)
    targets = (features[0, :, 0] + generator.normal(size=60) > 0).astype(np.int64)
    fits = plan_fits(np.arange(60) % 3, np.arange(60) % 3 == 1)
    logits = logistic_logits("binary", features, targets, fits)
    for fit, ours in zip(fits[:-1], logits, strict=False):
        scaler = StandardScaler().fit(features[0, fit.train])
        model = LogisticRegression(C=PLAIN_C, class_weight="balanced").fit(
            scaler.transform(features[0, fit.train]), targets[fit.train]
        )
        expected = model.decision_function(scaler.transform(features[0, fit.validation]))
        np.testing.assert_allclose(ours[:, 0], expected, atol=1e-2)
    assert logits[-1].shape == (0, 1)


def test_subtypes_that_were_never_seen_are_never_predicted() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(1, 40, 5)).astype(np.float32)
    targets = np.where(np.arange(40) % 4 == 3, -1, np.array([2, 5])[np.arange(40) % 2])
    logits = logistic_logits("subtype", features, targets, plan_fits(np.arange(40) % 2, np.arange(40) % 5 == 0))
    assert set(logits[2].argmax(axis=1).tolist()) <= {2, 5}
