"""No row is judged by numbers that its own case helped to choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobule.config import DecisionSettings
from lobule.errors import ConfigError, DataError
from lobule.evaluation.columns import probability_columns
from lobule.evaluation.decision.decide import cases_in_several_folds, decide, decided
from lobule.evaluation.decision.operating import Decisions
from lobule.evaluation.predictions import Predictions, sigmoid
from tests.evaluation.conftest import make_predictions


def by_case(seed: int = 0, **options: object) -> Predictions:
    """Return out-of-fold predictions whose folds are of whole cases."""
    made = make_predictions(images=300, cases=60, seed=seed, **options)  # type: ignore[arg-type]
    numbers = made.frame["case_id"].str.removeprefix("14-").astype(int) // 8 % 5
    return Predictions(made.frame.assign(fold=numbers.astype("Int64")))


def _points(decisions: Decisions, mask: np.ndarray) -> set[object]:
    return {decisions.points[index] for index in decisions.point_of[mask]}


def test_each_fold_is_judged_by_the_others() -> None:
    predictions = by_case()
    fold = predictions.frame["fold"].to_numpy(dtype=int)
    decisions = decide(predictions)
    assert decisions.is_cross_fitted
    for k in range(5):
        (point,) = _points(decisions, fold == k)
        others = Predictions(predictions.frame[fold != k])
        assert point == decide(others).pooled
    assert decisions.pooled not in _points(decisions, fold >= 0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 4))
def test_what_a_fold_says_of_itself_changes_nothing_for_it(seed: int, k: int) -> None:
    predictions = by_case(seed)
    own = (predictions.frame["fold"] == k).to_numpy()
    flipped = predictions.frame["label"].map({"benign": "malignant", "malignant": "benign"})
    frame = predictions.frame.assign(
        label=predictions.frame["label"].where(~own, flipped),
        subtype=predictions.frame["subtype"].where(~own, ""),
        logit_malignant=predictions.frame["logit_malignant"].where(~own, 3.0),
    )
    assert _points(decide(Predictions(frame)), own) == _points(decide(predictions), own)


def test_the_holdout_is_judged_by_cases_that_are_not_in_it() -> None:
    predictions = by_case()
    held = predictions.frame["fold"].eq(2).to_numpy()
    holdout = predictions.frame[held].assign(protocol="holdout", fold=np.nan)
    both = Predictions(pd.concat([holdout, predictions.frame], ignore_index=True))
    decisions = decide(both)
    (point,) = _points(decisions, (both.frame["protocol"] == "holdout").to_numpy())
    assert point == decide(Predictions(predictions.frame[~held])).pooled


def test_without_folds_cases_are_drawn_into_groups() -> None:
    predictions = by_case()
    bare = Predictions(predictions.frame.assign(fold=np.nan))
    decisions = decide(bare)
    groups = pd.Series(decisions.point_of).groupby(bare.frame["case_id"]).nunique()
    assert (groups == 1).all()
    assert len(set(decisions.point_of.tolist())) == 5
    sizes = bare.frame.assign(group=decisions.point_of).groupby(["group", "label"])["case_id"].nunique()
    assert (sizes.groupby("label").max() - sizes.groupby("label").min() <= 1).all()


def test_given_predictions_keep_what_they_say() -> None:
    given_rows = make_predictions(images=200, cases=48, protocol="predict").frame.assign(fold=np.nan)
    called = np.where(given_rows["prob_malignant"] >= 0.3, "malignant", "benign")
    predictions = Predictions(given_rows.assign(pred_label=called))
    decisions = decide(predictions)
    assert not decisions.is_cross_fitted
    point = decisions.pooled.image
    assert point.temperature == 1.0
    below = given_rows.loc[given_rows["prob_malignant"] < 0.3, "prob_malignant"].max()
    above = given_rows.loc[given_rows["prob_malignant"] >= 0.3, "prob_malignant"].min()
    assert below < point.threshold <= above
    assert point.label_sets.attainable
    frame = decided(predictions, decisions).frame
    said = ["label_set", "verdict", "reason"]
    pd.testing.assert_frame_equal(frame.drop(columns=said), predictions.frame.drop(columns=said))
    assert (frame["label_set"] != "").any()


def test_labels_that_follow_no_threshold_are_refused() -> None:
    given_rows = make_predictions(images=40, cases=24, protocol="predict").frame
    mixed = Predictions(given_rows.assign(pred_label=np.where(np.arange(40) % 2, "malignant", "benign")))
    with pytest.raises(DataError, match="pred_label follows no threshold"):
        decide(mixed)
    assert decide(mixed, keep_given=False).pooled.image.threshold > 0


def test_given_rows_can_be_decided_anew() -> None:
    predictions = Predictions(make_predictions(images=300, cases=60, protocol="predict").frame.assign(fold=np.nan))
    strict = DecisionSettings(threshold="sensitivity:1.0")
    decisions = decide(predictions, strict, keep_given=False)
    frame = decided(predictions, decisions).frame
    assert len({point.image.threshold for point in decisions.points[1:]}) > 1
    malignant = frame["label"] == "malignant"
    assert (frame["pred_label"][malignant] == "malignant").mean() > 0.95
    np.testing.assert_array_equal(frame["prob_malignant"], predictions.frame["prob_malignant"])


def test_folds_that_a_case_crosses_do_not_judge_it() -> None:
    leaking = make_predictions(images=300, cases=60)
    assert cases_in_several_folds(leaking) > 50
    groups = pd.Series(decide(leaking).point_of).groupby(leaking.frame["case_id"]).nunique()
    assert (groups == 1).all()
    assert cases_in_several_folds(by_case()) == 0


def test_sets_that_some_group_could_not_check_are_not_shipped() -> None:
    predictions = by_case()
    few = predictions.frame[predictions.frame["case_id"].isin([f"14-{k}" for k in range(20)])]
    assert few[few["label"] == "benign"]["case_id"].nunique() >= 9
    pooled = decide(Predictions(few)).pooled
    assert not pooled.image.label_sets.attainable
    assert pooled.image.label_sets.benign_cases >= 9


def test_a_fixed_threshold_stands_everywhere() -> None:
    decisions = decide(by_case(), DecisionSettings(threshold="fixed:0.2"))
    assert {point.image.threshold for point in decisions.points[1:]} == {0.2}
    with pytest.raises(ConfigError):
        decide(by_case(), DecisionSettings.model_construct(threshold="best", alpha=0.1))


def test_decided_rows_say_what_their_points_say() -> None:
    predictions = by_case()
    decisions = decide(predictions)
    frame = decided(predictions, decisions).frame
    for row in range(0, 300, 7):
        point = decisions.points[decisions.point_of[row]].image
        probability = sigmoid(np.array(frame["logit_malignant"][row]) / point.temperature)
        assert frame["prob_malignant"][row] == pytest.approx(float(probability), abs=1e-9)
        assert frame["pred_label"][row] == ("malignant" if probability >= point.threshold else "benign")
        assert frame["label_set"][row] == "|".join(point.label_sets.of(float(probability)) or ())
    assert set(frame["verdict"]) <= {"benign", "malignant", "uncertain"}
    np.testing.assert_allclose(frame[list(probability_columns("subtype"))].sum(axis=1), 1)


def test_refused_rows_stay_refused() -> None:
    predictions = by_case()
    third = np.arange(300) == 3
    refused = predictions.frame.assign(novelty=np.where(third, 5.0, 0.1), reason=np.where(third, "blank", ""))
    refused["verdict"] = refused["verdict"].where(~third, "not assessable")
    frame = decided(Predictions(refused), decide(Predictions(refused))).frame
    assert (frame["verdict"][3], frame["reason"][3]) == ("not assessable", "blank")
    assert frame["pred_label"][3] in {"benign", "malignant"}
    assert (frame["verdict"] == "not assessable").sum() == 1


def test_a_written_file_is_decided_the_same(tmp_path: Path) -> None:
    predictions = by_case()
    made = decided(predictions, decide(predictions))
    made.write(tmp_path / "predictions.csv")
    again = Predictions.read(tmp_path / "predictions.csv")
    assert decide(again).points == decide(predictions).points
    pd.testing.assert_frame_equal(decided(again, decide(again)).frame, made.frame)


def test_one_class_alone_is_left_as_it_is() -> None:
    predictions = by_case()
    benign = Predictions(predictions.frame[predictions.frame["label"] == "benign"])
    pooled = decide(benign).pooled
    assert (pooled.image.temperature, pooled.image.threshold) == (1.0, 0.5)
    assert not pooled.image.label_sets.attainable
