from __future__ import annotations

from dataclasses import replace

import pytest

from lobule.evaluation.metrics import Metrics
from lobule.report.blocks import Paragraph
from lobule.report.inputs import ReportInputs
from lobule.report.sections.calibration import calibration_section, calibration_table
from tests.report.blocks_of_metrics import calibration_block, with_decisions
from tests.report.sections.texts import texts


def words(inputs: ReportInputs) -> str:
    section = calibration_section(inputs)
    assert section is not None
    return " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))


def with_slope(metrics: Metrics, slope: tuple[float, float | None, float | None]) -> Metrics:
    document = with_decisions(metrics).document
    folds = document["binary"]["folds"]
    block = calibration_block(slope=slope)
    changed = {**folds, **{level: {**folds[level], "calibration": block} for level in ("image", "case")}}
    return Metrics({**document, "binary": {**document["binary"], "folds": changed}})


def test_shipped_and_cross_fitted_temperatures_are_told_apart(full_inputs: ReportInputs) -> None:
    text = words(full_inputs)
    assert "Shipped, fitted on all out-of-fold predictions: 1.42 for images, 1.71 for cases; one number" in text
    assert (
        "cross-fitted one, each fold with that of the others: 1.37 to 1.51 for images; 1.60 to 1.80 for cases" in text
    )


@pytest.mark.parametrize(
    ("slope", "reading"),
    [
        ((0.97, 0.7, 1.3), "no sign that it is too sure, or not sure enough"),
        ((0.6, 0.4, 0.9), "the classifier is too sure of itself"),
        ((1.6, 1.2, 2.5), "the classifier is less sure than it could be"),
        ((0.97, None, None), "without an interval it cannot be judged"),
        ((0.4, -0.1, 0.9), "cannot be told from ones that say nothing"),
        ((0.4, 0.0, 1.3), "cannot be told from ones that say nothing"),
        ((-0.6, -1.1, -0.2), "the probabilities point the wrong way"),
    ],
)
def test_slope_is_put_into_words(
    inputs: ReportInputs, slope: tuple[float, float | None, float | None], reading: str
) -> None:
    assert reading in words(replace(inputs, metrics=with_slope(inputs.metrics, slope)))


def test_temperature_is_said_to_keep_the_order_only_where_it_does(full_inputs: ReportInputs) -> None:
    text = words(full_inputs)
    assert "one number for all images never changes their order" in text
    assert "different folds are divided by different numbers, which can change their order between folds" in text
    rescored = words(replace(full_inputs, rescored=True))
    assert "Shipped" not in rescored
    assert "Fitted on all out-of-fold predictions: 1.42 for images" in rescored


def test_where_temperature_made_it_worse_is_told(full_inputs: ReportInputs) -> None:
    assert "made things worse" not in words(full_inputs).replace("For the subtypes of images it made", "")
    document = full_inputs.metrics.document
    folds = document["binary"]["folds"]
    block = folds["case"]["calibration"]
    worse = {**block, "after": {**block["after"], "log_loss": {**block["after"]["log_loss"], "value": 0.5}}}
    binary = {**document["binary"], "folds": {**folds, "case": {**folds["case"], "calibration": worse}}}
    text = words(replace(full_inputs, metrics=Metrics({**document, "binary": binary})))
    assert "For cases it made things worse: log loss 0.410 before, 0.500 after." in text
    assert "For images it made" not in text


def test_table_stands_before_and_after_side_by_side(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    table = calibration_table(document, "binary", protocol="folds", caption="")
    assert table is not None
    assert [column.title for column in table.columns] == [
        *("Per image, before temperature", "Per image, after, cross-fitted"),
        *("Per case, before temperature", "Per case, after, cross-fitted"),
    ]
    block = document["binary"]["folds"]["case"]["calibration"]
    assert texts(table)["Slope"][2:] == [f"{block[stage]['slope']['value']:.3f}" for stage in ("before", "after")]
    assert list(texts(table)) == ["Brier score", "Log loss", "Calibration error (ECE)", "Slope", "Intercept"]


def test_given_probabilities_are_not_called_calibrated(foreign: ReportInputs) -> None:
    assert "None was fitted here" in words(foreign)
    table = calibration_table(foreign.metrics.document, "binary", protocol="predict", caption="")
    assert table is not None
    assert [column.title for column in table.columns] == ["Per image", "Per case"]


def test_metrics_older_than_calibration_still_have_their_brier_score(inputs: ReportInputs) -> None:
    folds = inputs.metrics.document["binary"]["folds"]
    bare = {level: {k: v for k, v in folds[level].items() if k != "calibration"} for level in ("image", "case")}
    table = calibration_table({"binary": {"folds": bare}}, "binary", protocol="folds", caption="")
    assert table is not None
    assert list(texts(table)) == ["Brier score", "Log loss", "Calibration error (ECE)"]
    assert calibration_table({"binary": None}, "binary", protocol="folds", caption="") is None
