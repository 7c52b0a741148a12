from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lobule.config import DecisionSettings
from lobule.errors import DataError
from lobule.evaluation.levels import images_of
from lobule.evaluation.pairs import CaseDraws, Model, Pair
from lobule.evaluation.pairs import pair_images as pair_models
from lobule.evaluation.predictions import Predictions, Protocol
from lobule.taxonomy import Task
from tests.evaluation.conftest import make_predictions


def pair_images(a: Predictions, b: Predictions, task: Task, protocol: Protocol) -> Pair:
    return pair_models(Model.of(a, DecisionSettings()), Model.of(b, DecisionSettings()), task, protocol)


def changed(predictions: Predictions, rows: slice, **cells: Any) -> Predictions:
    frame = predictions.frame.copy()
    for name, cell in cells.items():
        frame.loc[frame.index[rows], name] = cell
    return Predictions(frame)


def other(predictions: Predictions, seed: int = 9) -> Predictions:
    """Return other logits for the same images, in another order."""
    frame = predictions.frame.copy()
    frame["logit_malignant"] += np.random.default_rng(seed).normal(size=len(frame))
    frame["prob_malignant"] = 1 / (1 + np.exp(-frame["logit_malignant"]))
    return Predictions(frame.sample(frac=1, random_state=seed).reset_index(drop=True))


def test_images_are_matched_by_their_id(predictions: Predictions) -> None:
    pair = pair_images(predictions, other(predictions), "binary", "folds")
    assert (len(pair), pair.only_a, pair.only_b, pair.conflict) == (240, 0, 0, "")
    np.testing.assert_array_equal(pair.a.case, pair.b.case)
    np.testing.assert_array_equal(pair.a.true, pair.b.true)
    expected = other(predictions).frame.set_index("image_id")["logit_malignant"]
    np.testing.assert_array_equal(pair.b.logits[:, 0], expected[sorted(expected.index)])


def test_what_only_one_has_scored_is_counted_and_left_out(predictions: Predictions) -> None:
    few = Predictions(other(predictions).frame.iloc[:200])
    without = changed(predictions, slice(0, 7), logit_malignant=np.nan, prob_malignant=np.nan)
    pair = pair_images(without, few, "binary", "folds")
    known = set(without.frame["image_id"][7:])
    assert len(pair) == len(known & set(few.frame["image_id"]))
    assert pair.only_a == len(known - set(few.frame["image_id"]))
    assert pair.only_b == len(set(few.frame["image_id"]) - known)
    assert len(pair_images(without, few, "binary", "holdout")) == 0


def test_the_pair_is_of_the_images_that_are_scored_elsewhere(handmade: Predictions) -> None:
    for task in ("binary", "subtype"):
        images = images_of(handmade, task, "folds")
        pair = pair_images(handmade, handmade, task, "folds")
        np.testing.assert_array_equal(pair.a.logits, images.logits)
        np.testing.assert_array_equal(pair.a.case, images.case)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"case_id": "elsewhere"}, "case_id differs for 3 of the 240 images"),
        ({"label": "benign", "subtype": ""}, "label differs for"),
    ],
)
def test_a_disagreement_on_what_an_image_is_is_named(
    predictions: Predictions, cells: dict[str, Any], words: str
) -> None:
    malignant_first = Predictions(predictions.frame.sort_values("label", ascending=False))
    told = pair_images(predictions, changed(malignant_first, slice(0, 3), **cells), "binary", "folds").conflict
    assert words in told


def test_a_subtype_that_only_one_knows_is_no_disagreement(predictions: Predictions) -> None:
    pair = pair_images(predictions, changed(predictions, slice(0, 4), subtype=""), "subtype", "folds")
    assert (len(pair), pair.only_a, pair.conflict) == (236, 4, "")


def test_a_missing_case_is_refused(predictions: Predictions) -> None:
    with pytest.raises(DataError, match="case_id is empty for 1"):
        pair_images(predictions, changed(predictions, slice(0, 1), case_id=""), "binary", "folds")


def test_folds_are_the_same_whatever_their_numbers(predictions: Predictions) -> None:
    frame = predictions.frame.copy()
    frame["fold"] = (4 - frame["fold"]) * 10
    assert pair_images(predictions, Predictions(frame), "binary", "folds").same_folds
    assert not pair_images(predictions, changed(predictions, slice(0, 1), fold=77), "binary", "folds").same_folds


def test_every_task_and_level_sees_the_same_draws() -> None:
    predictions = changed(make_predictions(), slice(0, 120), subtype="")
    binary, subtype = (pair_images(predictions, predictions, task, "folds") for task in ("binary", "subtype"))
    draws = CaseDraws([binary, subtype], replicates=30, seed=4)
    drawn = [np.concatenate(list(draws.of(pair))) for pair in (binary, subtype)]
    again = np.concatenate(list(draws.of(binary)))
    np.testing.assert_array_equal(drawn[0], again)
    for pair, multiplicity in zip((binary, subtype), drawn, strict=True):
        assert multiplicity.shape == (30, len(set(pair.case_names)))
    column = dict(zip(dict.fromkeys(binary.case_names), drawn[0].T, strict=True))
    for name, own in zip(dict.fromkeys(subtype.case_names), drawn[1].T, strict=True):
        np.testing.assert_array_equal(own, column[name])
