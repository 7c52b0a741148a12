from __future__ import annotations

import numpy as np
import pytest

from lobule.evaluation.levels import images_of, units_of
from lobule.evaluation.predictions import Predictions
from lobule.inference.aggregate import answer_cases
from lobule.inference.answers import Answer, Named, predictions_of
from lobule.taxonomy import LABELS, SUBTYPES, TASKS, Task
from tests.model.tiny_bundle import make_record

CASES = ("SOB_M_DC-14-2523-{}-001", "SOB_B_A-14-22549AB-{}-002", "SOB_M_LC-14-15570C-{}-003")


def _predictions(*, tasks: tuple[Task, ...] = TASKS, extra: tuple[str, ...] = ()) -> Predictions:
    rng = np.random.default_rng(7)
    names = [case.format(magnification) for case in CASES for magnification in (40, 100, 200)] + list(extra)
    sizes = {"binary": 1, "subtype": 8}
    answers = [Answer(f"{k:064x}", {task: rng.normal(size=sizes[task]) for task in tasks}) for k in range(len(names))]
    record = make_record(tasks=tasks)
    return predictions_of([Named(name, f"{name}.png") for name in names], answers, record=record)


def test_a_case_is_the_mean_of_its_images() -> None:
    predictions = _predictions()
    first, *_ = answers = answer_cases(predictions)
    assert [(answer.case_id, answer.n_images) for answer in answers] == [
        ("14-15570", 3),
        ("14-22549", 3),
        ("14-2523", 3),
    ]
    probability = predictions.probabilities("binary")[6:9, 0]
    odds = np.exp(np.log(probability / (1 - probability)).mean())
    assert first.prob_malignant == pytest.approx(odds / (1 + odds))
    product = predictions.probabilities("subtype")[6:9].prod(axis=0) ** (1 / 3)
    np.testing.assert_allclose(first.prob_subtype, product / product.sum(), rtol=1e-6)


def test_evaluation_scores_the_same_answers() -> None:
    predictions = _predictions()
    answers = {answer.case_id: answer for answer in answer_cases(predictions)}
    order = ["14-22549", "14-2523", "14-15570"]
    for task in TASKS:
        units = units_of(images_of(predictions, task, "predict"), "case")
        classes = LABELS if task == "binary" else SUBTYPES
        given = [answers[case].pred_label if task == "binary" else answers[case].pred_subtype for case in order]
        by_image_id = sorted(order, key=lambda case: {"14-22549": 0, "14-2523": 1, "14-15570": 2}[case])
        assert by_image_id == order
        assert sorted(classes[k] for k in units.predicted) == sorted(given)
    units = units_of(images_of(predictions, "binary", "predict"), "case")
    np.testing.assert_allclose(
        sorted(units.probability), sorted(answer.prob_malignant for answer in answers.values()), rtol=1e-12
    )


def test_images_without_a_case_are_left_out() -> None:
    assert len(answer_cases(_predictions(extra=("stray",)))) == 3


def test_without_subtypes() -> None:
    for answer in answer_cases(_predictions(tasks=("binary",))):
        assert answer.pred_subtype == ""
        assert np.isnan(answer.prob_subtype).all()
