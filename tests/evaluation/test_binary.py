from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from lobule.evaluation.binary import BINARY_METRICS, binary_values, calibration_bin
from lobule.evaluation.levels import Units
from lobule.evaluation.predictions import sigmoid


def make_units(seed: int, *, n: int = 60, cases: int = 12, digits: int = 1) -> Units:
    """Return images with many ties; four patients in every three cases."""
    rng = np.random.default_rng(seed)
    case = np.concatenate([np.arange(cases), rng.integers(0, cases, n - cases)])
    true = (case % 3 > 0).astype(np.int64)
    score = np.round(rng.normal(size=n) + true - 0.5, digits)
    probability = sigmoid(score)
    patient = case * 2 + (np.arange(n) % 2) * (case % 3 == 0)
    return Units(
        task="binary",
        level="image",
        case=case,
        true=true,
        predicted=(probability >= 0.5).astype(np.int64),
        score=score,
        probability=probability,
        threshold=np.full(n, 0.5),
        uncalibrated=score[:, None],
        temperature=np.ones(n),
        fits=np.full((n, 2), np.nan),
        share=1.0 / np.bincount(patient)[patient],
        images=np.ones(n, np.int64),
    )


def oracle_values(
    true: NDArray[np.int64], predicted: NDArray[np.int64], score: NDArray[np.float64], probability: NDArray[np.float64]
) -> dict[str, float]:
    return {
        "auroc": oracle.roc_auc_score(true, score),
        "average_precision": oracle.average_precision_score(true, score),
        "accuracy": oracle.accuracy_score(true, predicted),
        "balanced_accuracy": oracle.balanced_accuracy_score(true, predicted),
        "precision": oracle.precision_score(true, predicted, zero_division=np.nan),
        "recall": oracle.recall_score(true, predicted),
        "specificity": oracle.recall_score(true, predicted, pos_label=0),
        "f1": oracle.f1_score(true, predicted),
        "mcc": oracle.matthews_corrcoef(true, predicted),
        "brier": oracle.brier_score_loss(true, probability),
        "log_loss": oracle.log_loss(true, probability),
    }


def naive_ece(true: NDArray[np.int64], probability: NDArray[np.float64]) -> float:
    error = 0.0
    for k in range(15):
        inside = (probability >= k / 15) & ((probability < (k + 1) / 15) | (k == 14))
        if inside.any():
            error += inside.mean() * abs(true[inside].mean() - probability[inside].mean())
    return error


def all_once(units: Units) -> NDArray[np.float64]:
    return np.ones((1, units.case.max() + 1))


@pytest.mark.parametrize("seed", range(8))
def test_values_equal_scikit_learn(seed: int) -> None:
    units = make_units(seed, digits=seed % 3)
    found = binary_values(units, all_once(units))
    for name, value in oracle_values(units.true, units.predicted, units.score, units.probability).items():
        assert found[name][0] == pytest.approx(value, rel=1e-12), name
    assert found["ece"][0] == pytest.approx(naive_ece(units.true, units.probability), rel=1e-12)


def test_patient_recognition_rate_is_a_mean_over_patients() -> None:
    units = make_units(3)
    patient = units.case * 2 + (np.arange(len(units)) % 2) * (units.case % 3 == 0)
    right = units.true == units.predicted
    rates = [right[patient == name].mean() for name in np.unique(patient)]
    found = binary_values(units, all_once(units))
    assert found["patient_recognition_rate"][0] == pytest.approx(np.mean(rates), rel=1e-12)
    assert found["patient_recognition_rate"][0] != pytest.approx(right.mean(), rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_replicates_equal_a_loop_over_repeated_rows(seed: int) -> None:
    units = make_units(seed)
    multiplicity = np.random.default_rng(seed).integers(0, 4, (10, 12)).astype(float)
    multiplicity[:, :2] = 1
    found = binary_values(units, multiplicity)
    patient = units.case * 2 + (np.arange(len(units)) % 2) * (units.case % 3 == 0)
    for replicate, counts in enumerate(multiplicity.astype(int)):
        rows = np.repeat(np.arange(len(units)), counts[units.case])
        values = oracle_values(units.true[rows], units.predicted[rows], units.score[rows], units.probability[rows])
        for name, value in values.items():
            assert found[name][replicate] == pytest.approx(value, rel=1e-10, nan_ok=True), name
        assert found["ece"][replicate] == pytest.approx(naive_ece(units.true[rows], units.probability[rows]))
        right = units.true == units.predicted
        rates = [(right[patient == name].mean(), counts[units.case[patient == name][0]]) for name in np.unique(patient)]
        rate = np.average([rate for rate, _ in rates], weights=[weight for _, weight in rates])
        assert found["patient_recognition_rate"][replicate] == pytest.approx(rate)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 5), st.floats(-3, 3))
def test_ranking_is_unchanged_by_a_monotone_transform(seed: int, slope: float, shift: float) -> None:
    units = make_units(seed)
    moved = replace(units, score=np.exp(slope * units.score + shift))
    before, after = binary_values(units, all_once(units)), binary_values(moved, all_once(units))
    assert (before["auroc"][0], before["average_precision"][0]) == (after["auroc"][0], after["average_precision"][0])


def only(units: Units, mask: NDArray[np.bool_]) -> Units:
    return replace(
        units,
        case=np.unique(units.case[mask], return_inverse=True)[1],
        true=units.true[mask],
        predicted=units.predicted[mask],
        score=units.score[mask],
        probability=units.probability[mask],
        share=units.share[mask],
        images=units.images[mask],
    )


def test_one_class_leaves_what_needs_two_undefined() -> None:
    units = make_units(0)
    malignant, benign = only(units, units.malignant), only(units, ~units.malignant)
    names = {name for name, values in binary_values(malignant, all_once(malignant)).items() if np.isnan(values[0])}
    assert names == {"auroc", "average_precision", "balanced_accuracy", "specificity", "mcc"}
    names = {name for name, values in binary_values(benign, all_once(benign)).items() if np.isnan(values[0])}
    assert names == {"auroc", "average_precision", "balanced_accuracy", "recall", "f1", "mcc"}


def test_without_a_malignant_call_precision_is_undefined_and_f1_is_0() -> None:
    units = make_units(0)
    silent = replace(units, predicted=np.zeros(len(units), np.int64))
    found = binary_values(silent, all_once(units))
    assert np.isnan(found["precision"][0])
    assert np.isnan(found["mcc"][0])
    assert (found["f1"][0], found["recall"][0], found["specificity"][0]) == (0, 0, 1)


def test_a_replicate_without_a_class_is_undefined() -> None:
    units = make_units(0)
    multiplicity = np.stack([np.arange(12) % 3 > 0, np.zeros(12), np.ones(12)]).astype(float)
    found = binary_values(units, multiplicity)
    assert np.isnan(found["auroc"]).tolist() == [True, True, False]
    assert np.isnan(found["average_precision"]).tolist() == [True, True, False]
    assert all(np.isnan(values[1]) for values in found.values())


def test_every_metric_is_there() -> None:
    units = make_units(0)
    assert set(binary_values(units, all_once(units))) == set(BINARY_METRICS)


def test_calibration_bins_have_equal_width_and_the_last_is_closed() -> None:
    probabilities = np.array([0, 0.0666, 0.0667, 0.5, 0.9333, 0.9334, 1.0])
    assert calibration_bin(probabilities).tolist() == [0, 0, 1, 7, 13, 14, 14]


def test_a_certain_mistake_costs_a_finite_log_loss() -> None:
    units = make_units(0)
    certain = replace(units, probability=1 - units.true.astype(np.float64))
    assert binary_values(certain, all_once(units))["log_loss"][0] == pytest.approx(-np.log(1e-9))
