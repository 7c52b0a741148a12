from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from lobule.evaluation.metrics import evaluate
from lobule.report.inputs import ReportInputs
from lobule.report.sections.result import answer, beside_colour, tiles
from tests.report.blocks_of_metrics import with_gain

Gain = tuple[float | None, float | None, float | None]


@pytest.mark.parametrize(
    ("gain", "outcome", "lead", "words"),
    [
        ((0.075, 0.012, 0.138), "better", "It beats colour:", "better by 0.075 (95\u00a0% interval 0.012 to 0.138"),
        ((0.04, -0.01, 0.09), "unclear", "It does not clearly beat colour:", "−0.010 to 0.090; paired, by case)"),
        ((0.04, 0.0, 0.09), "unclear", "It does not clearly beat colour:", "this interval includes 0"),
        ((-0.06, -0.1, -0.01), "worse", "It is worse than colour:", "the difference is −0.060"),
        (
            (0.04, None, None),
            "unclear",
            "Whether it beats colour cannot be said:",
            "there is no interval of this difference",
        ),
        ((None, None, None), "unclear", "Whether it beats colour is not known:", "no paired difference was measured"),
    ],
)
def test_colour_is_beaten_or_not(inputs: ReportInputs, gain: Gain, outcome: str, lead: str, words: str) -> None:
    versus = beside_colour(with_gain(inputs.metrics, gain).document)
    assert versus is not None
    assert (versus.outcome, versus.lead) == (outcome, lead)
    assert words in versus.text
    colour = inputs.metrics.document["controls"]["colour_only"]["binary"]["folds"]["image"]["auroc"]["value"]
    assert f"fifteen colour numbers alone reach an AUROC of {colour:.3f} per image" in versus.text


def test_without_the_control_nothing_is_claimed(foreign: ReportInputs) -> None:
    versus = beside_colour(foreign.metrics.document)
    assert versus is not None
    assert versus.lead == "Whether it beats colour is not known:"
    assert beside_colour({"binary": None}) is None


def test_answer_says_how_good_how_sure_and_on_how_much(inputs: ReportInputs) -> None:
    text = answer(inputs)
    auroc = inputs.metrics.document["binary"]["folds"]["case"]["auroc"]
    assert text.startswith("On 51 cases it had not seen (15 benign, 36 malignant; ")
    assert f"and {auroc['value']:.3f} (95\u00a0% interval {auroc['low']:.3f}–{auroc['high']:.3f}) per case" in text


def test_answer_does_not_claim_what_is_not_known(inputs: ReportInputs, foreign: ReportInputs) -> None:
    assert answer(foreign).startswith("On 51 cases (15 benign, 36 malignant; ")
    assert inputs.split is not None
    by_image = replace(inputs, split=replace(inputs.split, group_by="image"))
    assert answer(by_image).startswith("On 51 cases it had seen in training")


def test_one_class_only_has_no_auroc(inputs: ReportInputs) -> None:
    frame: pd.DataFrame = inputs.predictions.frame
    benign = type(inputs.predictions)(frame[frame["label"] == "benign"].reset_index(drop=True))
    metrics = evaluate(benign, bootstrap=0)
    one_class = replace(inputs, predictions=benign, metrics=metrics)
    text = answer(one_class)
    assert "only one class is there, benign, so whether the model tells the two apart cannot be said." in text
    assert "% of the benign images benign" in text
    assert "AUROC" not in text
    assert "malignant images" not in text
    versus = beside_colour(metrics.document)
    assert versus is not None
    assert versus.outcome == "unclear"
    assert tiles(metrics.document, "folds")[0].cell.text == "–"


Auroc = tuple[float, float | None, float | None]


@pytest.mark.parametrize(
    ("auroc", "is_told"),
    [
        ((0.2, 0.1, 0.4), True),
        ((0.45, 0.3, 0.5), False),
        ((0.9, 0.8, 0.95), False),
        ((0.25, None, None), True),
        ((0.35, None, None), False),
    ],
)
def test_worse_than_guessing_looks_reversed(inputs: ReportInputs, auroc: Auroc, is_told: bool) -> None:
    document = inputs.metrics.document
    folds = document["binary"]["folds"]
    image = {
        **folds["image"],
        "auroc": {**folds["image"]["auroc"], **dict(zip(("value", "low", "high"), auroc, strict=True))},
    }
    binary = {**document["binary"], "folds": {**folds, "image": image}}
    text = answer(replace(inputs, metrics=type(inputs.metrics)({**document, "binary": binary})))
    assert ("the column of probabilities, may be reversed" in text) is is_told


def test_tiles_without_an_interval_name_every_reason(inputs: ReportInputs) -> None:
    frame: pd.DataFrame = inputs.predictions.frame
    metrics = evaluate(type(inputs.predictions)(frame), bootstrap=0)
    (tile, *_) = tiles(metrics.document, "folds")
    assert tile.interval == "no interval: too few cases, or nothing that varies"
    assert "or nothing that varies; ECE has none" in tile.cell.why


def test_tiles_show_the_gain_only_where_it_was_measured(inputs: ReportInputs) -> None:
    plain = tiles(inputs.metrics.document, "folds")
    assert [tile.cell.text for tile in plain if "colour" in tile.name] == []
    paired = tiles(with_gain(inputs.metrics, (0.075, 0.012, 0.138)).document, "folds")
    (gain,) = [tile for tile in paired if "colour" in tile.name]
    assert (gain.cell.text, gain.interval) == ("+0.075", "95\u00a0%: 0.012 to 0.138")
    assert len(paired) == len(plain) + 1
