from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lobule.errors import DataError
from lobule.report.blocks import Paragraph
from lobule.report.inputs import ReportInputs
from lobule.report.page import page_of
from lobule.report.search_record import SearchedPart, SearchRecord
from lobule.report.sections.search import chosen_table, search_section, space_table
from tests.report.sections.texts import texts


def part(name: str, number: int, inner: float, held_out: float | None) -> SearchedPart:
    settings = {"head.hidden": 64, "head.learning_rate": 0.0012345, "features.views": ["identity"]} if number else {}
    return SearchedPart(
        name=name,
        number=number,
        settings=settings,
        n_full=51,
        inner=inner,
        given=0.9,
        held_out=held_out,
        epochs={"binary": 7, "subtype": 9},
    )


RECORD = SearchRecord(
    n_configurations=200,
    sampler="random",
    objective="auroc",
    seed=3,
    finalists=0.25,
    screening_epochs=3,
    max_epochs=12,
    n_inner_trainings=20,
    space={
        "features.backbone": ["vgg16"],
        "features.layers": {"vgg16": [[], ["block4_pool", "block5_pool"]]},
        "head.l2": {"low": 0.001, "high": 1.0, "log": True},
    },
    parts=(
        part("fold 1", 4, 0.95, 0.88),
        part("fold 2", 0, 0.93, None),
        part("holdout", 17, 0.94, 0.9),
        part("final", 4, 0.94, None),
    ),
    outer=0.9,
)


def told(inputs: ReportInputs, record: SearchRecord) -> str:
    section = search_section(replace(inputs, search=record))
    assert section is not None
    return " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))


def test_the_report_states_the_search(inputs: ReportInputs) -> None:
    text = told(replace(inputs, run={**inputs.run, "seconds": {"search": 241.6}}), RECORD)
    assert "200 configurations, the given settings first" in text
    assert "no result has a say in what was tried (Optuna, seed 3)" in text
    assert "All were trained for 3 epochs; each outer fit took the best 50 configurations" in text
    assert "spent 242 s on it" in text
    assert "inner folds of its own training cases" in text
    assert "0.940 with what the search chose, 0.900 with the given settings" in text
    assert "untouched by the search: 0.900. The inner score of the choice is 0.040 higher" in text
    tpe = told(inputs, replace(RECORD, sampler="tpe", screening_epochs=0, objective="log_loss", outer=None))
    assert "200 configurations for each outer fit" in tpe
    assert "All were trained for 12 epochs." in tpe
    assert "cross-entropy" in tpe
    assert "untouched" not in tpe
    assert "lower than what comes of it" in told(inputs, replace(RECORD, outer=0.95))


def test_what_each_outer_fit_chose_stands_in_a_table() -> None:
    shown = texts(chosen_table(RECORD))
    assert shown["Fold 1"] == ["#4", "0.950", "0.900", "0.880", ""]
    assert shown["Fold 2"] == ["#0", "0.930", "0.900", "–", "as given"]
    assert shown["Shipped model"][:4] == ["#4", "0.940", "0.900", "–"]
    notes = chosen_table(RECORD).rows[0].cells[-1].notes
    assert notes == ("hidden: 64", "learning rate: 0.00123", "views: identity")


def test_what_was_searched_stands_in_a_table() -> None:
    assert texts(space_table(RECORD.space)) == {
        "features.backbone": ["vgg16"],
        "features.layers (vgg16)": ["last map | block4_pool, block5_pool"],
        "head.l2": ["0.001 to 1, logarithmic"],
    }


def test_a_run_without_a_search_has_no_such_section(inputs: ReportInputs) -> None:
    assert search_section(inputs) is None
    assert "Search" not in [name for _, name in page_of(inputs, ())["contents"]]
    with_search = page_of(replace(inputs, search=RECORD), ())
    assert [name for _, name in with_search["contents"]][1:3] == ["What was done", "Search"]


def test_the_record_comes_back(tmp_path: Path) -> None:
    RECORD.write(tmp_path / "search.json")
    assert SearchRecord.read(tmp_path / "search.json") == RECORD
    summary = json.loads((tmp_path / "search.json").read_text())["summary"]
    assert summary["chosen"] == {"fold 1": 4, "fold 2": 0, "holdout": 17, "final": 4}
    assert summary["optimism"] == pytest.approx(0.04)


@pytest.mark.parametrize("content", ["", "[]", '{"schema_version": 2}', '{"schema_version": 1, "summary": {}}'])
def test_what_is_no_record_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "search.json").write_text(content)
    with pytest.raises(DataError, match="cannot be read as the record of a search"):
        SearchRecord.read(tmp_path / "search.json")
