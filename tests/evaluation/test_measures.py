from __future__ import annotations

from functools import partial

import numpy as np

from lobule.evaluation.binary import BINARY_METRICS, binary_values
from lobule.evaluation.intervals import clopper_pearson
from lobule.evaluation.levels import images_of, units_of
from lobule.evaluation.measures import Rule, binary_rules, measure
from lobule.evaluation.predictions import Predictions


def test_every_binary_metric_has_one_rule(predictions: Predictions) -> None:
    units = units_of(images_of(predictions, "binary", "folds"), "image")
    names = [rule.name for rule in binary_rules(units)]
    assert sorted(names) == sorted(BINARY_METRICS)


def test_a_metric_counts_what_it_is_about(predictions: Predictions) -> None:
    units = units_of(images_of(predictions, "binary", "folds"), "image")
    found = measure(units, binary_rules(units), partial(binary_values, units), bootstrap=20, seed=0)
    (tn, fp), (fn, tp) = units.confusion().tolist()
    assert found["recall"].n_images == tp + fn
    assert found["specificity"].n_images == tn + fp
    assert found["precision"].n_images == tp + fp
    assert found["auroc"].n_images == 240
    assert (found["recall"].n_cases, found["specificity"].n_cases, found["auroc"].n_cases) == (24, 24, 48)


def test_proportions_of_cases_are_exact(predictions: Predictions) -> None:
    units = units_of(images_of(predictions, "binary", "folds"), "case")
    found = measure(units, binary_rules(units), partial(binary_values, units), bootstrap=0, seed=0)["recall"]
    hits = int((units.malignant & (units.predicted == 1)).sum())
    exact = clopper_pearson(hits, 24)
    assert exact is not None
    np.testing.assert_allclose([found.low or np.nan, found.high or np.nan], exact, rtol=1e-8)


def test_an_interval_needs_five_cases_of_each_needed_class(predictions: Predictions) -> None:
    units = units_of(images_of(predictions, "binary", "folds"), "image")
    every = np.ones(len(units), bool)
    values = partial(binary_values, units)
    four, five = (Rule("accuracy", every, (every, units.case < count)) for count in (4, 5))
    assert measure(units, [four], values, bootstrap=50, seed=0)["accuracy"].low is None
    assert measure(units, [five], values, bootstrap=50, seed=0)["accuracy"].low is not None
