from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lobule.config import Config, load_config
from lobule.controls.same_model import Retraining, fits_by_image, retrained_logits, with_permuted_labels
from lobule.data.manifest import Manifest
from lobule.model.plan import Fit, targets_of
from lobule.taxonomy import Task
from tests.controls.simulated import Simulated, simulated

_HEAD = {"hidden": 32, "members": 2, "batch_size": 64, "learning_rate": 0.01, "l2": 0.001, "input_dropout": 0}


_DATA = simulated()


def _config(seed: int = 0) -> Config:
    return load_config(settings={"seed": seed, "head": _HEAD})


def _auroc(data: Simulated, manifest: Manifest, fits: list[Fit], *, seed: int = 0) -> float:
    """Return the AUROC over all images that some fold held out."""
    folds = [fit for fit in fits if fit.protocol == "folds"]
    retraining = Retraining(manifest.frame, folds)
    (found,) = retrained_logits([retraining], data.features.values, epochs={"binary": 30}, config=_config(seed))
    logits = np.empty(len(manifest))
    for fit, of_fit in zip(folds, found["binary"], strict=True):
        logits[fit.validation] = of_fit[:, 0]
    return float(roc_auc_score(targets_of(manifest.frame, "binary"), logits))


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_a_split_by_image_keeps_the_size_and_labels_of_every_part_and_mixes_the_cases(seed: int) -> None:
    frame, fits = _DATA.manifest.frame, _DATA.fits
    by_image = fits_by_image(fits, frame["label"], seed=seed)
    for before, after in zip(fits, by_image, strict=True):
        for part in ("train", "validation"):
            counts = [frame["label"][getattr(fit, part)].value_counts().to_dict() for fit in (before, after)]
            assert counts[0] == counts[1]
        assert not (after.train & after.validation).any()
        assert (after.train | after.validation).all()
    held_out = np.stack([fit.validation for fit in by_image if fit.protocol == "folds"])
    assert held_out.sum(axis=0).tolist() == [1] * len(frame)
    cases = frame["case_id"].to_numpy(dtype=str)
    assert set(cases[by_image[0].train]) & set(cases[by_image[0].validation])


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_permuting_keeps_the_images_of_a_case_together_and_the_cases_of_every_kind(seed: int) -> None:
    manifest = _DATA.manifest
    permuted = with_permuted_labels(manifest, seed=seed)
    same = [name for name in manifest.frame.columns if name not in ("label", "subtype")]
    assert permuted.frame[same].equals(manifest.frame[same])
    kinds = [each.frame.groupby("case_id")[["label", "subtype"]].agg(set) for each in (manifest, permuted)]
    assert all(len(kind) == 1 for kind in kinds[1].to_numpy().ravel())
    counted = [Counter(map(str, table.to_numpy().tolist())) for table in kinds]
    assert counted[0] == counted[1]


def test_permuting_changes_labels_and_another_seed_changes_others() -> None:
    manifest = simulated().manifest
    first, again, other = (with_permuted_labels(manifest, seed=seed).frame["label"].tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first != manifest.frame["label"].tolist()


def test_a_case_of_two_kinds_gives_the_more_frequent_one() -> None:
    manifest = simulated(cases=2).manifest
    frame = manifest.frame.assign(case_id=["a"] * 6 + ["b"] * 6)
    frame.loc[[0, 1], ["label", "subtype"]] = ["malignant", ""]
    permuted = with_permuted_labels(Manifest(frame, manifest.root), seed=0).frame
    assert set(permuted["label"]) == {"benign"}
    assert set(permuted.loc[permuted["case_id"] == "a", "subtype"]) <= {"adenosis", "fibroadenoma"}


@pytest.mark.keras
def test_a_task_that_cannot_be_trained_predicts_nothing() -> None:
    data = simulated(cases=24, each=2)
    frame = data.manifest.frame.assign(subtype="")
    fits = data.fits[:1]
    epochs: dict[Task, int] = {"binary": 1, "subtype": 1}
    (found,) = retrained_logits([Retraining(frame, fits)], data.features.values, epochs=epochs, config=_config())
    assert np.isnan(found["subtype"][0]).all()
    assert found["subtype"][0].shape == (fits[0].validation.sum(), 8)
    assert np.isfinite(found["binary"][0]).all()


@pytest.mark.keras
def test_a_split_by_image_flatters_where_cases_look_like_themselves() -> None:
    data = simulated()
    by_image = fits_by_image(data.fits, data.manifest.frame["label"], seed=0)
    honest, flattered = _auroc(data, data.manifest, data.fits), _auroc(data, data.manifest, by_image)
    assert flattered > 0.9
    assert flattered > honest + 0.15


@pytest.mark.keras
@pytest.mark.slow
def test_permuted_labels_are_not_found_by_case_and_are_found_where_the_split_leaks() -> None:
    aurocs = []
    for seed in range(8):
        data = simulated(label_effect=1.5, seed=seed)
        permuted = with_permuted_labels(data.manifest, seed=seed)
        aurocs.append(_auroc(data, permuted, data.fits, seed=seed))
    # 40 cases, half of them malignant: one AUROC of independent cases has a standard deviation of about 0.09.
    error = 0.092 / np.sqrt(len(aurocs))
    assert abs(np.mean(aurocs) - 0.5) < 3 * error
    leaking = fits_by_image(data.fits, permuted.frame["label"], seed=0)
    assert _auroc(data, permuted, leaking) > 0.8
