from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn import metrics as oracle

from lobule.evaluation.levels import Units
from lobule.evaluation.subtype import scorable_subtypes, subtype_values
from lobule.taxonomy import SUBTYPES

ALL = np.ones(8, bool)


def make_units(true: NDArray[np.int64], predicted: NDArray[np.int64], case: NDArray[np.int64]) -> Units:
    n = len(true)
    zeros = np.zeros(n)
    images = np.ones(n, np.int64)
    return Units(
        "subtype",
        "image",
        case,
        true,
        predicted,
        score=zeros,
        probability=zeros,
        threshold=zeros,
        uncalibrated=np.zeros((len(case), 8)),
        temperature=zeros + 1,
        fits=np.full((len(case), 2), np.nan),
        share=zeros,
        images=images,
    )


def random_units(seed: int, n: int = 120) -> Units:
    rng = np.random.default_rng(seed)
    case = np.concatenate([np.arange(24), rng.integers(0, 24, n - 24)])
    true = case % 8
    return make_units(true, np.where(rng.random(n) < 0.5, true, rng.integers(0, 8, n)), case)


def expected(true: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, float]:
    present = np.unique(true)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, f1, _ = oracle.precision_recall_fscore_support(
            true, predicted, labels=present, zero_division=np.nan
        )
    return {
        "accuracy": oracle.accuracy_score(true, predicted),
        "balanced_accuracy": recall.mean(),
        "macro_f1": np.nan_to_num(f1).mean(),
        "cohen_kappa": oracle.cohen_kappa_score(true, predicted),
        **{f"precision {SUBTYPES[k]}": value for k, value in zip(present, precision, strict=True)},
        **{f"recall {SUBTYPES[k]}": value for k, value in zip(present, recall, strict=True)},
    }


@pytest.mark.parametrize("seed", range(6))
def test_values_equal_scikit_learn(seed: int) -> None:
    units = random_units(seed)
    found = subtype_values(units, np.ones((1, 24)), scorable=ALL)
    for name, value in expected(units.true, units.predicted).items():
        assert found[name][0] == pytest.approx(value, rel=1e-12, nan_ok=True), name
    assert found["balanced_accuracy"][0] == pytest.approx(
        oracle.balanced_accuracy_score(units.true, units.predicted), rel=1e-12
    )


def test_replicates_equal_a_loop_over_repeated_rows() -> None:
    units = random_units(1)
    multiplicity = np.random.default_rng(0).integers(0, 3, (12, 24)).astype(float)
    multiplicity[:, :8] = 1
    found = subtype_values(units, multiplicity, scorable=ALL)
    for replicate, counts in enumerate(multiplicity.astype(int)):
        rows = np.repeat(np.arange(len(units)), counts[units.case])
        for name, value in expected(units.true[rows], units.predicted[rows]).items():
            assert found[name][replicate] == pytest.approx(value, rel=1e-12, nan_ok=True), name


def test_a_subtype_that_is_not_scorable_is_undefined_and_left_out_of_the_means() -> None:
    units = random_units(2)
    scorable = ALL.copy()
    scorable[0] = False
    found = subtype_values(units, np.ones((1, 24)), scorable=scorable)
    recalls = [found[f"recall {name}"][0] for name in SUBTYPES]
    assert np.isnan(recalls[0])
    assert np.isnan(found["precision adenosis"][0])
    assert found["balanced_accuracy"][0] == pytest.approx(np.mean(recalls[1:]))
    assert found["accuracy"][0] == pytest.approx((units.true == units.predicted).mean())


def test_one_subtype_alone() -> None:
    case = np.arange(6)
    alone = make_units(np.full(6, 4), np.full(6, 4), case)
    found = subtype_values(alone, np.ones((1, 6)), scorable=ALL)
    assert found["accuracy"][0] == 1
    assert found["recall ductal_carcinoma"][0] == 1
    undefined = {name for name, values in found.items() if " " not in name and np.isnan(values[0])}
    assert undefined == {"balanced_accuracy", "macro_f1", "cohen_kappa"}


def test_a_subtype_never_predicted_has_no_precision() -> None:
    units = make_units(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0]), np.arange(4))
    found = subtype_values(units, np.ones((1, 4)), scorable=ALL)
    assert np.isnan(found["precision fibroadenoma"][0])
    assert (found["recall fibroadenoma"][0], found["f1 fibroadenoma"][0]) == (0, 0)
    assert found["balanced_accuracy"][0] == 0.5


def test_scorable_needs_two_cases() -> None:
    frame = pd.DataFrame(
        {"subtype": ["adenosis", "adenosis", "fibroadenoma", "fibroadenoma", ""], "case_id": list("aabbc")}
    )
    assert scorable_subtypes(frame).tolist() == [False] * 8
    frame.loc[1, "case_id"] = "d"
    assert scorable_subtypes(frame).tolist() == [True] + [False] * 7
