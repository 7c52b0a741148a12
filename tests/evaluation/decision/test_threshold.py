from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, recall_score

from lobule.errors import ConfigError
from lobule.evaluation.decision.threshold import choose_threshold
from lobule.threshold_rule import ThresholdRule, parse_rule

_BALANCED = ThresholdRule("balanced_accuracy")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(2, 40), st.integers(1, 3))
def test_no_threshold_has_a_larger_balanced_accuracy(seed: int, n: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    probability = np.round(rng.random(n), digits)
    malignant = rng.random(n) < 0.2 + 0.6 * probability
    malignant[:2] = [True, False]
    chosen = choose_threshold(probability, malignant, _BALANCED)
    best = max(
        balanced_accuracy_score(malignant, probability >= threshold)
        for threshold in [*np.unique(probability), *(np.unique(probability) + 1e-9)]
    )
    assert balanced_accuracy_score(malignant, probability >= chosen) == pytest.approx(best)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(2, 40), st.floats(0.05, 1.0))
def test_a_wanted_sensitivity_is_reached_and_the_next_threshold_misses_it(seed: int, n: int, wanted: float) -> None:
    rng = np.random.default_rng(seed)
    probability, malignant = np.round(0.01 + 0.98 * rng.random(n), 2), rng.random(n) < 0.5
    malignant[:2] = [True, False]
    chosen = choose_threshold(probability, malignant, ThresholdRule("sensitivity", wanted))
    assert recall_score(malignant, probability >= chosen) >= wanted - 1e-9
    above = np.unique(probability[probability >= chosen])
    if len(above):
        stricter = np.nextafter(above[0], 2)
        assert recall_score(malignant, probability >= stricter) < wanted or not malignant[probability == above[0]].any()


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken() -> None:
    malignant = np.array([False, True])
    assert choose_threshold(np.array([0.1, 0.9]), malignant, _BALANCED) == 0.5
    assert choose_threshold(np.array([0.6, 0.9]), malignant, _BALANCED) == 0.75
    assert choose_threshold(np.array([0.7, 0.7]), malignant, _BALANCED) == 0.5


def test_with_one_class_nothing_can_be_chosen() -> None:
    assert choose_threshold(np.array([0.1, 0.2]), np.array([True, True]), _BALANCED) == 0.5
    assert choose_threshold(np.array([0.1]), np.array([True]), ThresholdRule("fixed", 0.3)) == 0.3


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("balanced_accuracy", _BALANCED),
        ("sensitivity:0.95", ThresholdRule("sensitivity", 0.95)),
        (" fixed:0.3 ", ThresholdRule("fixed", 0.3)),
        ("0.3", ThresholdRule("fixed", 0.3)),
    ],
)
def test_rules_are_read(text: str, rule: ThresholdRule) -> None:
    assert parse_rule(text) == rule
    assert rule.words


@pytest.mark.parametrize(
    "text", ["", "best", "sensitivity", "sensitivity:2", "fixed:0", "fixed:1", "balanced_accuracy:1"]
)
def test_what_is_no_rule_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="threshold: allowed is balanced_accuracy"):
        parse_rule(text)
