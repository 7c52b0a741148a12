from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lobule.config import Config
from lobule.data.manifest import Manifest
from lobule.report.card import model_card, summarise
from lobule.report.inputs import ReportInputs
from lobule.taxonomy import DISCLAIMER
from tests.report.blocks_of_metrics import with_decisions


def card_of(inputs: ReportInputs, *, model_id: str = "densenet121-0123", **changes: bool) -> str:
    assert inputs.manifest is not None
    assert inputs.split is not None
    assert inputs.config is not None
    data = summarise(inputs.manifest, group_by=inputs.split.group_by, **changes)
    return model_card(
        inputs.metrics,
        data,
        config=inputs.config,
        model_id=model_id,
        input_size=224,
        preprocessing="RGB scaled to 0 to 1, then standardised by channel",
    )


def test_summary_counts_images_and_cases(manifest: Manifest) -> None:
    data = summarise(manifest)
    assert data.images == len(manifest)
    assert sum(data.cases.values()) == 51
    assert data.subtypes["phyllodes_tumor"] == 2
    assert data.magnifications == (40, 100, 200, 400)
    assert data.digest == manifest.digest
    assert data.breakhis


def test_card_says_what_a_stranger_must_know(inputs: ReportInputs, manifest: Manifest) -> None:
    card = card_of(inputs)
    auroc = inputs.metrics.document["binary"]["folds"]["image"]["auroc"]
    assert card.count(DISCLAIMER) == 2
    assert f"{auroc['value']:.3f} [{auroc['low']:.3f}–{auroc['high']:.3f}]" in card
    assert f"{auroc['n_images']} images, {auroc['n_cases']} cases" in card
    assert manifest.digest in card
    assert "Inside the graph: RGB scaled to 0 to 1, then standardised by channel." in card
    assert "out of fold" in card
    assert "lobule predict" in card
    assert "Spanhol" in card
    for heading in (
        "Intended use",
        "Training data",
        "Preprocessing",
        "Results",
        "Decisions",
        "Limits",
        "How to use",
        "Licence",
    ):
        assert f"\n## {heading}" in card


def test_every_row_of_the_tables_has_the_same_number_of_cells(inputs: ReportInputs) -> None:
    rows = [line for line in card_of(inputs).splitlines() if line.startswith("|")]
    assert len(rows) > 10
    assert {row.count("|") for row in rows} == {5}


def test_labels_only_card_has_no_subtypes(make_inputs: Callable[..., ReportInputs]) -> None:
    card = card_of(make_inputs(subtypes=False, bootstrap=0, gallery=0))
    assert "ubtype" not in card
    assert "Spanhol" not in card


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"data": {"group": "image"}}, "split by image"), ({"features": {"weights": "none"}}, "random filters")],
)
def test_card_warns(make_inputs: Callable[..., ReportInputs], settings: dict[str, object], words: str) -> None:
    card = card_of(make_inputs(config=Config.model_validate(settings), bootstrap=0, gallery=0))
    assert "> **Danger.**" in card
    assert words in card


def test_synthetic_card_cites_nothing(inputs: ReportInputs) -> None:
    card = card_of(inputs, synthetic=True)
    assert "The training images are synthetic." in card
    assert "Spanhol" not in card


def test_markup_in_a_name_stays_text(inputs: ReportInputs) -> None:
    card = card_of(inputs, model_id="<img src=x> | `rm`\n# heading")
    assert "<img" not in card
    assert card.splitlines()[0] == r"# &lt;img src=x&gt; \| \`rm\` \# heading"


def test_card_states_how_logits_become_verdicts(full_inputs: ReportInputs) -> None:
    card = card_of(full_inputs)
    temperature = full_inputs.metrics.document["subtype"]["temperature"]["image"]
    assert (
        f"Temperature, fitted on all out-of-fold predictions: 1.420 for images, 1.710 for cases, {temperature:.3f}"
        in card
    )
    assert "slope 0.970 (95\u00a0% interval 0.700–1.300)" in card
    assert (
        "Called malignant from a probability of 0.612 on (images) or 0.655 on (cases). Rule: largest balanced" in card
    )
    assert "promise an alpha of 0.1" in card
    assert "benign 0.900 (95\u00a0% interval 0.700–0.990), 120 images, 15 cases" in card
    assert "these shares are approximate" in card
    assert "a share of 0.015 (95\u00a0% interval 0.004–0.030) was refused" in card
    assert "Beside colour. It beats colour: fifteen colour numbers" in card


def test_card_promises_nothing_with_too_few_cases(full_inputs: ReportInputs) -> None:
    metrics = with_decisions(full_inputs.metrics, attainable=(False, True), calibration_cases=(8, 30))
    card = card_of(replace(full_inputs, metrics=metrics))
    assert "Label sets: none." in card
    assert "With 8 benign cases in the smallest calibration group it cannot be below 1/9 = 0.111" in card
    assert "Share of cases whose true label" not in card


def test_card_of_metrics_without_decisions_claims_none(inputs: ReportInputs) -> None:
    document = inputs.metrics.document
    levels = {
        name: {key: value for key, value in block.items() if key not in ("calibration", "conformal")}
        for name, block in document["binary"]["folds"].items()
        if name in ("image", "case")
    }
    bare = type(inputs.metrics)({**document, "binary": {"folds": levels}, "controls": {}})
    card = card_of(replace(inputs, metrics=bare))
    assert "no temperature was fitted" in card
    assert "Label sets" not in card
    assert "Whether it beats colour is not known" in card
