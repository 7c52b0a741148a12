from __future__ import annotations

from dataclasses import replace

from lobule.report.inputs import ReportInputs
from lobule.report.sections.limits import is_breakhis, limits
from tests.report.blocks_of_metrics import with_decisions, with_gain


def test_colour_within_the_models_interval_is_a_limit(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    own = {task: document[task] for task in ("binary", "subtype")}
    metrics = type(inputs.metrics)({**document, "controls": {"colour_only": own}})
    assert any("colour numbers" in limit for limit in limits(replace(inputs, metrics=metrics)))
    assert not any("colour numbers" in limit for limit in limits(inputs))


def test_the_paired_difference_decides_where_there_is_one(inputs: ReportInputs) -> None:
    beaten = replace(inputs, metrics=with_gain(inputs.metrics, (0.05, 0.01, 0.09)))
    not_beaten = replace(inputs, metrics=with_gain(inputs.metrics, (0.05, -0.01, 0.11)))
    assert not any("colour numbers" in limit for limit in limits(beaten))
    assert any("does not clearly beat" in limit for limit in limits(not_beaten))


def test_label_sets_without_a_promise_are_a_limit(inputs: ReportInputs) -> None:
    metrics = with_decisions(inputs.metrics, attainable=(False, True))
    text = " ".join(limits(replace(inputs, metrics=metrics)))
    assert "The label sets promise nothing for benign cases" in text
    assert "were calibrated on this data set" in text


def test_label_sets_that_nothing_was_calibrated_for_are_no_limit(inputs: ReportInputs) -> None:
    metrics = with_decisions(inputs.metrics, attainable=(False, False), calibration_cases=(0, 0))
    assert "label sets promise" not in " ".join(limits(replace(inputs, metrics=metrics)))


def test_a_class_that_is_not_there_is_not_counted(foreign: ReportInputs) -> None:
    frame = foreign.predictions.frame
    benign = type(foreign.predictions)(frame[frame["label"] == "benign"].reset_index(drop=True))
    first, *_ = limits(replace(foreign, predictions=benign))
    assert first.startswith("No malignant case is there")
    assert limits(foreign)[0].startswith("Only 15 benign cases stand behind every number")


def test_foreign_predictions_are_not_said_to_be_calibrated_or_to_have_heat_maps(foreign: ReportInputs) -> None:
    text = " ".join(limits(foreign))
    assert "Probabilities are the classifier's own" in text
    assert "heat map" not in text


def test_breakhis_is_known_by_its_file_names() -> None:
    assert is_breakhis(["a/SOB_B_A-14-22549AB-40-001.png", "b.png", "SOB_M_DC-14-2523-100-009.webp"])
    assert not is_breakhis(["a.png", "SOB_B_A-14-22549AB-40-001.png"])
    assert not is_breakhis([])
