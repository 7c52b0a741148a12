from __future__ import annotations

import numpy as np
import pytest

from lobule.data.manifest import Manifest
from lobule.model.held_out import held_out_predictions
from lobule.model.plan import plan_fits
from tests.model.test_stages import COUNT, FITS, every_subtype, manifest_of


@pytest.fixture
def manifest() -> Manifest:
    return manifest_of(every_subtype())


def test_each_image_is_predicted_by_the_fold_that_held_it_out(manifest: Manifest) -> None:
    number = np.arange(COUNT, dtype=np.float32)
    logits = [number[fit.validation, None] + 1000 * index for index, fit in enumerate(FITS)]
    predictions = held_out_predictions(manifest, FITS, {"binary": logits}, model_id="run")
    folds = predictions.select("folds").frame
    assert folds["image_id"].tolist() == manifest.frame["image_id"].tolist()
    expected = number + 1000 * (np.arange(COUNT) // 2 % 3)
    np.testing.assert_array_equal(folds["logit_malignant"], expected)
    np.testing.assert_array_equal(folds["fold"], np.arange(COUNT) // 2 % 3)
    holdout = predictions.select("holdout").frame
    assert holdout["image_id"].tolist() == manifest.frame.loc[FITS[3].validation, "image_id"].tolist()
    np.testing.assert_array_equal(holdout["logit_malignant"], number[FITS[3].validation] + 3000)
    assert set(folds["model_id"]) == {"run-folds"}
    assert set(holdout["model_id"]) == {"run-holdout"}
    assert holdout["fold"].isna().all()


def test_what_was_refused_says_why_and_keeps_its_logit(manifest: Manifest) -> None:
    logits = [np.full((int(fit.validation.sum()), 1), 3, np.float32) for fit in FITS]
    refused = ["unfamiliar: no tissue", *[""] * (int(FITS[1].validation.sum()) - 1)]
    novelty = {1: (np.linspace(2, 0.1, len(refused)), refused)}
    predictions = held_out_predictions(manifest, FITS, {"binary": logits}, model_id="run", novelty=novelty)
    folds = predictions.select("folds").frame
    (row,) = folds.index[folds["verdict"] == "not assessable"]
    assert row == int(np.flatnonzero(FITS[1].validation)[0])
    assert tuple(folds.loc[row, ["novelty", "reason", "pred_label"]]) == (2, "unfamiliar: no tissue", "malignant")
    np.testing.assert_array_equal(folds["novelty"].notna(), FITS[1].validation)
    assert (folds["logit_malignant"] == 3).all()
    assert predictions.select("holdout").frame["novelty"].isna().all()


def test_a_task_that_was_not_trained_is_empty(manifest: Manifest) -> None:
    logits = [np.zeros((int(fit.validation.sum()), 1), np.float32) for fit in FITS]
    predictions = held_out_predictions(manifest, FITS, {"binary": logits}, model_id="run")
    assert np.isnan(predictions.logits("subtype")).all()
    assert (predictions.frame["pred_subtype"] == "").all()


def test_the_final_model_predicts_nothing(manifest: Manifest) -> None:
    fits = plan_fits(np.arange(COUNT) % 2, np.arange(COUNT) % 5 == 0)
    logits = [np.zeros((int(fit.validation.sum()), 1), np.float32) for fit in fits]
    predictions = held_out_predictions(manifest, fits, {"binary": logits}, model_id="run")
    assert set(predictions.frame["protocol"]) == {"folds", "holdout"}
    assert len(predictions.frame) == COUNT + int((np.arange(COUNT) % 5 == 0).sum())
