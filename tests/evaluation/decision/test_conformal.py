"""Label sets: exact agreement with crepes on one image a case, and coverage on exchangeable cases."""

from __future__ import annotations

import numpy as np
import pytest
from crepes import ConformalClassifier  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lobule.evaluation.decision.conformal import calibrate_label_sets, case_quantile
from lobule.evaluation.predictions import sigmoid


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(5, 60), st.sampled_from([0.05, 0.1, 0.17, 0.3]))
def test_sets_of_one_image_a_case_are_those_of_crepes(seed: int, n: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    malignant = np.arange(2 * n) % 2 == 1
    probability = sigmoid(rng.normal(size=2 * n) + 2.0 * malignant - 1)
    new = rng.random(200)
    sets = calibrate_label_sets(probability, malignant, np.arange(2 * n), alpha=alpha)
    for label, score, scores in (
        ("benign", probability[~malignant], new),
        ("malignant", 1 - probability[malignant], 1 - new),
    ):
        oracle = ConformalClassifier().fit(score)
        fits = oracle.predict_p(scores[:, None], smoothing=False)[:, 0] > alpha + 1e-12
        limit = getattr(sets, label)
        assert fits.all() if limit is None else ((scores <= limit) == fits).all()


@pytest.mark.parametrize(("cases", "attainable"), [(8, False), (9, True), (12, True), (0, False)])
def test_too_few_cases_promise_nothing(cases: int, attainable: bool) -> None:
    score = np.linspace(0, 1, cases * 3)
    quantile = case_quantile(score, np.repeat(np.arange(cases), 3), alpha=0.1)
    assert (quantile is not None) == attainable


def _archive(rng: np.random.Generator, cases: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scores of images that share their case's own difficulty, and the cases."""
    sizes = rng.integers(2, 20, cases)
    difficulty = np.repeat(rng.normal(-1, 1.2, cases), sizes)
    return sigmoid(difficulty + rng.normal(0, 0.8, sizes.sum())), np.repeat(np.arange(cases), sizes)


@pytest.mark.parametrize(("cases", "alpha"), [(12, 0.1), (40, 0.1), (40, 0.25)])
def test_images_of_new_cases_are_covered(cases: int, alpha: float) -> None:
    """Coverage lies between nominal and what so few cases round it up to, within the error of the simulation."""
    rng = np.random.default_rng(cases)
    new = sigmoid(rng.normal(-1, 1.2, 20_000) + rng.normal(0, 0.8, 20_000))
    covered = []
    for _ in range(200):
        quantile = case_quantile(*_archive(rng, cases), alpha=alpha)
        assert quantile is not None
        covered.append(float((new <= quantile).mean()))
    error = 3 * np.std(covered) / np.sqrt(len(covered))
    assert 1 - alpha - error <= np.mean(covered) <= 1 - alpha + 1 / (cases + 1) + 0.01 + error


def test_counting_images_instead_of_cases_does_not_cover() -> None:
    rng = np.random.default_rng(0)
    new = sigmoid(rng.normal(-1, 1.2, 20_000) + rng.normal(0, 0.8, 20_000))
    by_case, by_image = [], []
    for _ in range(200):
        score, case = _archive(rng, 12)
        right, naive = case_quantile(score, case, alpha=0.1), case_quantile(score, np.arange(len(score)), alpha=0.1)
        assert right is not None
        assert naive is not None
        by_case.append(float((new <= right).mean()))
        by_image.append(float((new <= naive).mean()))
    error = 3 * np.std(by_image) / np.sqrt(len(by_image))
    assert np.mean(by_image) + error < 0.9 <= np.mean(by_case)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_and_numbers_of_cases_do_not_matter(random: object) -> None:
    rng = np.random.default_rng(random.randrange(2**31))  # type: ignore[attr-defined]
    score, case = _archive(rng, 15)
    shuffled = rng.permutation(len(score))
    assert case_quantile(score, case, alpha=0.1) == case_quantile(score[shuffled], case[shuffled], alpha=0.1)


def test_a_case_of_many_images_counts_once() -> None:
    few = np.concatenate([np.full(3, 0.1 + k / 100) for k in range(20)])
    many = np.concatenate([few, np.full(500, 0.9)])
    case = np.concatenate([np.repeat(np.arange(20), 3), np.full(500, 20)])
    assert case_quantile(many, case, alpha=0.1) == pytest.approx(0.29)
