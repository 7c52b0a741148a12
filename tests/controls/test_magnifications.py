from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lobule.config import load_config
from lobule.controls.magnifications import leave_one_magnification_out
from lobule.controls.same_model import Retraining, retrained_logits
from lobule.data.manifest import Manifest
from lobule.model.plan import targets_of
from tests.controls.simulated import simulated

_CONFIG = load_config(
    settings={"head": {"hidden": 8, "members": 2, "batch_size": 64, "learning_rate": 0.01, "l2": 0.001}}
)


@pytest.mark.keras
def test_a_magnification_that_speaks_another_language_is_only_known_to_those_who_heard_it() -> None:
    data = simulated(case_effect=0, label_effect=0)
    label, values = 2 * targets_of(data.manifest.frame, "binary") - 1, data.features.values.copy()
    at_100 = (data.manifest.frame["magnification"] == 100).to_numpy(dtype=bool)
    values[:, :, 0] += 3 * label * ~at_100
    values[:, :, 1] += 3 * label * at_100
    found = leave_one_magnification_out(data.manifest, values, data.fits, epochs=20, config=_CONFIG)
    assert [tested.magnification for tested in found] == [40, 100]
    for tested, there in zip(found, (~at_100, at_100), strict=True):
        assert tested.rows.tolist() == np.flatnonzero(there).tolist()
        assert roc_auc_score(label[there], tested.beside) > 0.9
        assert roc_auc_score(label[there], tested.without) < 0.75
    folds = data.fits[:3]
    retraining = Retraining(data.manifest.frame, folds)
    (alone,) = retrained_logits([retraining], values, epochs={"binary": 20}, config=_CONFIG)
    assert roc_auc_score(label[folds[0].validation], alone["binary"][0][:, 0]) > 0.9


def test_a_magnification_of_few_cases_and_an_unknown_one_are_left_out() -> None:
    data = simulated(cases=24, each=1)
    frame = data.manifest.frame.assign(magnification=None)
    frame.loc[:3, "magnification"] = 40
    manifest = Manifest(frame, data.manifest.root)
    assert leave_one_magnification_out(manifest, data.features.values, data.fits, epochs=1, config=_CONFIG) == []


def test_where_there_is_one_magnification_only_nothing_can_be_left_out() -> None:
    data = simulated(cases=24, each=1)
    manifest = Manifest(data.manifest.frame.assign(magnification=200), data.manifest.root)
    assert leave_one_magnification_out(manifest, data.features.values, data.fits, epochs=1, config=_CONFIG) == []
