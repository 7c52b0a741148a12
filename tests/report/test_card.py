from __future__ import annotations

from collections.abc import Callable

import pytest

from lobule.config import Config
from lobule.report.card import model_card, summarise
from lobule.report.inputs import ReportInputs
from lobule.taxonomy import DISCLAIMER


def card_of(inputs: ReportInputs, *, model_id: str = "densenet121-0123", **changes: bool) -> str:
    data = summarise(inputs.manifest, group_by=inputs.split.group_by, **changes)
    return model_card(
        inputs.metrics,
        data,
        config=inputs.config,
        model_id=model_id,
        input_size=224,
        preprocessing="RGB scaled to 0 to 1, then standardised by channel",
    )


def test_summary_counts_images_and_cases(inputs: ReportInputs) -> None:
    data = summarise(inputs.manifest)
    assert data.images == len(inputs.manifest)
    assert sum(data.cases.values()) == 51
    assert data.subtypes["phyllodes_tumor"] == 2
    assert data.magnifications == (40, 100, 200, 400)
    assert data.digest == inputs.manifest.digest
    assert data.breakhis


def test_card_says_what_a_stranger_must_know(inputs: ReportInputs) -> None:
    card = card_of(inputs)
    auroc = inputs.metrics.document["binary"]["folds"]["image"]["auroc"]
    assert card.count(DISCLAIMER) == 2
    assert f"{auroc['value']:.3f} [{auroc['low']:.3f}–{auroc['high']:.3f}]" in card
    assert f"{auroc['n_images']} images, {auroc['n_cases']} cases" in card
    assert inputs.manifest.digest in card
    assert "Inside the graph: RGB scaled to 0 to 1, then standardised by channel." in card
    assert "out of fold" in card
    assert "lobule predict" in card
    assert "Spanhol" in card
    for heading in ("Intended use", "Training data", "Preprocessing", "Results", "Limits", "How to use", "Licence"):
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
