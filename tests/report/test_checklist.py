from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lobule.data.manifest import Manifest
from lobule.data.split import Split
from lobule.errors import ConfigError, DataError
from lobule.evaluation.metrics import Metrics, evaluate
from lobule.pipeline import Run
from lobule.report.checklist import CHECKLISTS, TO_WRITE, checklist_names, write_checklists
from lobule.report.checklists.facts import facts_of
from lobule.report.inputs import ReportInputs
from lobule.report.recorded import recorded_inputs, scored_inputs
from tests.evaluation.conftest import make_predictions

_NOT_IN_EVERY_RUN = {"abstention"}


def answers(path: Path) -> dict[str, str]:
    """Return the last cell of every row by its item."""
    rows = [line for line in path.read_text().splitlines() if line.startswith("| ")][1:]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    assert {len(row) for row in cells} == {4}
    return {row[0].strip(): row[3].strip() for row in cells}


@pytest.fixture(scope="module")
def whole(inputs: ReportInputs) -> ReportInputs:
    """Return a run whose record says that three files could not be read."""
    return replace(inputs, run={**inputs.run, "n_failures": 3})


@pytest.fixture(scope="module")
def written(whole: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    files = write_checklists(whole, list(CHECKLISTS), tmp_path_factory.mktemp("run"))
    assert [file.name for file in files] == ["checklist_tripod-ai.md", "checklist_claim.md"]
    return {name: answers(file) for name, file in zip(CHECKLISTS, files, strict=True)}


def test_every_item_of_the_published_checklists_is_there_in_order() -> None:
    tripod = [item.number for item in CHECKLISTS["tripod-ai"].items]
    assert list(dict.fromkeys(int(number.rstrip("abcdefg")) for number in tripod)) == list(range(1, 28))
    parts = {
        3: "abc",
        5: "ab",
        6: "abc",
        8: "abc",
        9: "abc",
        12: "abcdefg",
        18: "abcdef",
        20: "abc",
        23: "ab",
        27: "abc",
    }
    expected = [f"{number}{part}" for number in range(1, 28) for part in parts.get(number, "") or [""]]
    assert tripod == expected
    assert len(tripod) == 52
    assert [item.number for item in CHECKLISTS["claim"].items] == [str(number) for number in range(1, 45)]


def test_every_fact_that_an_item_names_is_known_of_a_whole_run(whole: ReportInputs) -> None:
    facts = facts_of(whole)
    named = {fact for checklist in CHECKLISTS.values() for item in checklist.items for fact in item.facts}
    assert named == set(facts)
    assert {name for name in named - _NOT_IN_EVERY_RUN if not facts[name]} == set()
    for checklist in CHECKLISTS.values():
        for item in checklist.items:
            assert bool(item.facts) or not item.rest


def test_what_the_run_knows_stands_there_with_its_numbers(
    inputs: ReportInputs, manifest: Manifest, division: Split, written: dict[str, dict[str, str]]
) -> None:
    frame = manifest.frame
    counts = f"{len(frame)} images of {frame['case_id'].nunique()} cases ("
    benign = frame[frame["label"] == "benign"]["case_id"].nunique()
    tripod, claim = written["tripod-ai"], written["claim"]
    assert f"{counts}{benign} benign, " in tripod["5a"]
    assert "5-fold cross-validation grouped by case" in tripod["12a"]
    assert "5-fold cross-validation grouped by case" in claim["19"]
    assert "none of 51 cases has images in two folds" in claim["20"]
    fold = frame[frame["image_id"].isin(division.folds[0])]
    assert f"Fold 1: {len(fold)} images of {fold['case_id'].nunique()} cases" in tripod["21"]
    auroc = inputs.metrics.document["binary"]["folds"]["image"]["auroc"]
    assert f"AUROC {auroc['value']:.3f} [{auroc['low']:.3f}–{auroc['high']:.3f}]" in tripod["23a"]
    (_, _), (missed, right) = inputs.metrics.document["binary"]["folds"]["image"]["confusion_matrix"]["counts"]
    assert f"{missed:,} of {missed + right:,} malignant images were called benign" in claim["39"]
    assert "colour only" in claim["37"]
    assert "keras 3.13.1" in claim["23"]
    assert "3 files could not be read" in claim["35"]
    assert "14 (binary) and 19 (subtype)" in claim["25"]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("tripod-ai", "1 2 3a 3c 5b 6a 6c 8b 8c 9c 17 18a 18b 18c 18d 19 25 27c"),
        ("claim", "1 2 4 5 10 15 16 17 18 34 44"),
    ],
)
def test_the_rest_is_the_authors(written: dict[str, dict[str, str]], name: str, numbers: str) -> None:
    assert [number for number, answer in written[name].items() if answer == TO_WRITE] == numbers.split()


def test_of_predictions_alone_only_their_scores_are_known(tmp_path: Path) -> None:
    predictions = make_predictions(protocol="predict")
    inputs = scored_inputs(predictions, evaluate(predictions, bootstrap=20), title="theirs|mine")
    tripod, claim = (answers(file) for file in write_checklists(inputs, ["tripod-ai", "claim"], tmp_path))
    assert "theirs\\|mine" in (tmp_path / "checklist_claim.md").read_text()
    assert "240 images of 48 cases (24 benign, 24 malignant)" in tripod["5a"]
    assert "on the predictions as given" in tripod["23a"]
    for number in ("6b", "7", "9a", "12a", "12c", "12f", "13", "16", "22", "27a"):
        assert tripod[number] == TO_WRITE, number
    for number in ("9", "19", "20", "22", "23", "24", "25", "26", "27", "31", "33"):
        assert claim[number] == TO_WRITE or number == "22", number
    assert claim["22"].startswith("P(malignant) and a probability of each of eight subtypes.")


def test_folds_of_predictions_that_share_cases_are_told(tmp_path: Path) -> None:
    predictions = make_predictions()
    frame = predictions.frame
    shared = sum(len(set(frame.loc[frame["case_id"] == case, "fold"])) > 1 for case in set(frame["case_id"]))
    inputs = scored_inputs(predictions, evaluate(predictions, bootstrap=0), title="theirs")
    assert f"{shared} of 48 cases has images in two folds" in facts_of(inputs)["disjoint"]


def test_a_split_by_image_and_synthetic_images_are_named(
    make_inputs: Callable[..., ReportInputs], inputs: ReportInputs, division: Split
) -> None:
    leaking = replace(inputs, split=replace(division, group_by="image"), synthetic=True)
    facts = facts_of(leaking)
    assert facts["disjoint"].startswith("By image only")
    assert facts["source"] == "Synthetic images, drawn by a program: not data of patients."
    assert "BreakHis" in facts_of(inputs)["source"]


def test_numbers_of_calibration_and_of_label_sets_are_quoted_where_there_are_any(inputs: ReportInputs) -> None:
    def measure(value: float) -> dict[str, Any]:
        return {"value": value, "low": value - 0.01, "high": value + 0.01, "n_images": 9, "n_cases": 9}

    document = inputs.metrics.document
    folds = document["binary"]["folds"]
    added: dict[str, Any] = {
        "calibration": {
            "before": {"brier": measure(0.2)},
            "after": {"brier": measure(0.1), "slope": measure(1.05)},
            "bins": "15",
        },
        "conformal": {
            "alpha": 0.1,
            "attainable": {"benign": True, "malignant": True},
            "coverage": {"benign": measure(0.91), "malignant": measure(0.92), "all": measure(0.915)},
            "shares": {"benign": 0.3, "malignant": 0.5, "both": 0.2, "none": 0.0},
        },
    }
    binary = {**document["binary"], "folds": {**folds, "image": {**folds["image"], **added}}}
    binary |= {"temperature": {"image": 1.7}, "threshold": {"value": 0.41, "rule": "balanced accuracy"}}
    verdicts = inputs.predictions.frame.assign(verdict="uncertain")
    changed = replace(
        inputs,
        metrics=Metrics({**document, "binary": binary}),
        predictions=type(inputs.predictions)(verdicts),
    )
    facts = facts_of(changed)
    assert "before temperature scaling: Brier score 0.200 [0.190–0.210]" in facts["calibration"]
    assert "slope 1.050 [1.040–1.060]" in facts["calibration"]
    assert "coverage of benign 0.910 [0.900–0.920]" in facts["abstention"]
    assert "Images without a label as verdict: " in facts["abstention"]
    assert "0.41 on; rule: balanced accuracy" in facts["threshold"]
    assert "(of all of them: 1.7)" in facts["recalibration"]
    added["conformal"]["attainable"] = {"benign": False, "malignant": True}
    assert "too few cases for a guarantee" in facts_of(changed)["abstention"]


def test_names_are_read_kindly_and_unknown_ones_refused() -> None:
    assert checklist_names("tripod_ai") == ("tripod-ai",)
    assert checklist_names(" CLAIM,tripod-ai, claim") == ("claim", "tripod-ai")
    with pytest.raises(ConfigError, match="--checklist stard: not known; known are tripod-ai, claim"):
        checklist_names("claim,stard")
    with pytest.raises(ConfigError, match="known are"):
        checklist_names(" ,")


def test_a_finished_run_is_read_back(finished: Run) -> None:
    inputs = recorded_inputs(finished.folder)
    assert inputs.metrics == finished.metrics
    assert inputs.synthetic
    assert inputs.split is not None
    assert inputs.manifest is not None
    inputs.split.check(inputs.manifest)
    assert facts_of(inputs)["ensemble"].startswith("The head is the mean of 4 members")
    assert inputs.config is not None
    report = inputs.config.report.model_copy(update={"bootstrap": 7})
    config = inputs.config.model_copy(update={"report": report})
    other = recorded_inputs(finished.folder, metrics=finished.metrics, config=config)
    assert "7 replicates" in facts_of(other)["uncertainty"]


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run\.json cannot be read"):
        recorded_inputs(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(DataError, match="not a record"):
        recorded_inputs(tmp_path)
