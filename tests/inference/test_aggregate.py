from __future__ import annotations

import numpy as np
import pytest

from lobule.evaluation.decision.operating import Decisions, LabelSets
from lobule.evaluation.levels import images_of, units_of
from lobule.evaluation.predictions import Predictions
from lobule.inference.aggregate import answer_cases
from lobule.inference.answers import Answer, Named, predictions_of
from lobule.taxonomy import LABELS, SUBTYPES, TASKS, Task
from tests.model.tiny_bundle import make_operating, make_record

CASES = ("SOB_M_DC-14-2523-{}-001", "SOB_B_A-14-22549AB-{}-002", "SOB_M_LC-14-15570C-{}-003")


def _predictions(
    *, tasks: tuple[Task, ...] = TASKS, extra: tuple[str, ...] = (), refused: tuple[int, ...] = ()
) -> Predictions:
    rng = np.random.default_rng(7)
    names = [case.format(magnification) for case in CASES for magnification in (40, 100, 200)] + list(extra)
    sizes = {"binary": 1, "subtype": 8}
    logits = [{task: rng.normal(size=sizes[task]) for task in tasks} for _ in names]
    novelty = [(2.0, "unfamiliar: no tissue") if k in refused else (0.5, "") for k in range(len(names))]
    answers = [Answer(f"{k:064x}", logits[k], *novelty[k]) for k in range(len(names))]
    record = make_record(tasks=tasks)
    return predictions_of([Named(name, f"{name}.png") for name in names], answers, record=record)


def test_a_case_is_the_mean_of_its_images() -> None:
    predictions = _predictions()
    operating = make_operating(temperature=2.0, subtype_temperature=1.5)
    first, *_ = answers = answer_cases(predictions, operating=operating)
    assert [(answer.case_id, answer.n_images, answer.n_refused) for answer in answers] == [
        ("14-15570", 3, 0),
        ("14-22549", 3, 0),
        ("14-2523", 3, 0),
    ]
    logit = predictions.logits("binary")[6:9, 0].mean()
    assert first.prob_malignant == pytest.approx(1 / (1 + np.exp(-logit / 2)))
    powers = np.exp(predictions.logits("subtype")[6:9].mean(axis=0) / 1.5)
    np.testing.assert_allclose(first.prob_subtype, powers / powers.sum(), rtol=1e-6)


@pytest.mark.parametrize(("threshold", "label"), [(0.0001, "malignant"), (1.0, "benign")])
def test_the_threshold_of_cases_decides(threshold: float, label: str) -> None:
    images = make_operating(threshold=0.5)
    case = images.case.model_copy(update={"threshold": threshold})
    answers = answer_cases(_predictions(), operating=images.model_copy(update={"case": case}))
    assert {(answer.pred_label, answer.verdict, answer.reason) for answer in answers} == {(label, label, "")}


def test_the_label_sets_of_cases_make_a_case_uncertain() -> None:
    sets = LabelSets(alpha=0.1, benign=1.0, malignant=1.0, benign_cases=9, malignant_cases=9)
    plain = make_operating()
    operating = plain.model_copy(update={"case": plain.case.model_copy(update={"label_sets": sets})})
    for answer in answer_cases(_predictions(), operating=operating):
        assert (answer.label_set, answer.verdict) == ("benign|malignant", "uncertain")
        assert "both labels fit" in answer.reason


def test_refused_images_do_not_count() -> None:
    every = _predictions()
    some = _predictions(refused=(6, 7))
    all_of_one = _predictions(refused=(6, 7, 8))
    first, *others = answer_cases(some)
    assert (first.n_images, first.n_refused) == (3, 2)
    assert first.prob_malignant == pytest.approx(every.probabilities("binary")[8, 0])
    for left, right in zip(others, answer_cases(every)[1:], strict=True):
        assert (left.prob_malignant, left.n_refused) == (right.prob_malignant, 0)
    refused = answer_cases(all_of_one)[0]
    assert (refused.verdict, refused.pred_label, refused.pred_subtype) == ("not assessable", "", "")
    assert refused.reason == "all 3 images are not assessable"
    assert np.isnan(refused.prob_malignant)
    assert np.isnan(refused.prob_subtype).all()


def test_evaluation_scores_the_same_answers() -> None:
    predictions = _predictions()
    operating = make_operating(threshold=0.45, temperature=1.3)
    answers = {answer.case_id: answer for answer in answer_cases(predictions, operating=operating)}
    held_out = Predictions(predictions.frame.assign(protocol="folds", fold=0))
    decisions = Decisions(operating, (operating,), np.zeros(len(held_out), np.int64), is_cross_fitted=False)
    order = ["14-22549", "14-2523", "14-15570"]
    for task in TASKS:
        units = units_of(images_of(held_out, task, "folds", decisions=decisions), "case")
        classes = LABELS if task == "binary" else SUBTYPES
        given = [answers[case].pred_label if task == "binary" else answers[case].pred_subtype for case in order]
        assert sorted(classes[k] for k in units.predicted) == sorted(given)
    units = units_of(images_of(held_out, "binary", "folds", decisions=decisions), "case")
    np.testing.assert_allclose(
        sorted(units.probability), sorted(answer.prob_malignant for answer in answers.values()), rtol=1e-12
    )


def test_images_without_a_case_are_left_out() -> None:
    assert len(answer_cases(_predictions(extra=("stray",)))) == 3


def test_without_subtypes() -> None:
    for answer in answer_cases(_predictions(tasks=("binary",))):
        assert answer.pred_subtype == ""
        assert np.isnan(answer.prob_subtype).all()
