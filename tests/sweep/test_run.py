"""The whole sweep on synthetic tissue: a run folder like any other, and what a kill must not change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lobule.config import Config, load_config
from lobule.data.manifest import Manifest
from lobule.data.phantom import PhantomSummary
from lobule.data.split import Split
from lobule.errors import ConfigError, RunError
from lobule.evaluation.metrics import Metrics
from lobule.evaluation.predictions import Predictions
from lobule.inference.predictor import Predictor
from lobule.pipeline import Run
from lobule.progress import Progress
from lobule.report.search_record import SearchRecord
from lobule.rescore import rescore
from lobule.run_folder import RunFolder
from lobule.sweep.run import sweep
from lobule.sweep.settings import SweepPlan, SweepSettings
from lobule.tracking.tracked import read_tracked
from tests.runs import content_of, litter_in
from tests.sweep.small import SWEEP_CONFIG, SWEEP_PLAN
from tests.tiny_backbone import tiny_backbone

pytestmark = pytest.mark.keras

SEARCH_FILES = ("search.json", "search.csv")


@pytest.fixture(autouse=True)
def _tiny() -> Iterator[None]:
    with tiny_backbone():
        yield


def test_it_leaves_a_run_folder_with_the_search_beside_it(swept: Run) -> None:
    names = {path.name for path in swept.folder.iterdir()}
    assert names == {
        *("run.json", "config.yaml", "manifest.csv", "audit.json", "split.json", "history.csv", "predictions.csv"),
        *("metrics.json", "controls", "figures", "report.html", "model", "search.json", "search.csv"),
    }
    record = RunFolder.read_record(swept.folder)
    assert record["status"] == "done"
    assert record["search"]["n_configurations"] == 6
    assert {"search", "training"} <= set(record["seconds"])
    document = Metrics.read(swept.folder / "metrics.json").document
    assert document["search"] == record["search"]
    assert document == swept.metrics.document


def test_every_configuration_stands_in_the_table_with_its_score(swept: Run) -> None:
    table = pd.read_csv(swept.folder / "search.csv")
    parts = ["fold 1", "fold 2", "fold 3", "holdout", "final"]
    assert list(dict.fromkeys(table["part"])) == parts
    for _, rows in table.groupby("part"):
        assert set(rows.loc[rows["stage"] == "screened", "number"]) == set(range(6))
        full = rows[rows["stage"] == "full"]
        assert 3 <= len(full) <= 4
        (chosen,) = full[full["is_chosen"]].to_dict("records")
        assert chosen["score"] == full["score"].max()
    drawn = table.drop_duplicates("number").sort_values("number")
    assert drawn["head.hidden"].isna().tolist() == [True] + [False] * 5


def test_the_shipped_settings_are_those_of_the_search_over_all_cases(swept: Run) -> None:
    record = SearchRecord.read(swept.folder / "search.json")
    shipped = Config.model_validate(load_config(swept.folder / "config.yaml").model_dump())
    final = record.parts[-1]
    for name, value in final.settings.items():
        group, _, key = name.partition(".")
        found = getattr(getattr(shipped, group), key)
        assert (sorted(found) == sorted(value)) if isinstance(found, tuple) else found == value
    assert shipped.data == SWEEP_CONFIG.data


def test_predictions_are_scored_where_no_search_looked(swept: Run) -> None:
    record = SearchRecord.read(swept.folder / "search.json")
    predictions = Predictions.read(swept.folder / "predictions.csv")
    frame = predictions.select("folds").frame
    manifest = Manifest.read(swept.folder / "manifest.csv")
    divided = Split.read(swept.folder / "split.json", manifest)
    for number, ids in enumerate(divided.folds):
        assert set(frame.loc[frame["fold"].astype(int) == number, "image_id"]) == set(ids)
    assert swept.metrics.value("binary", "auroc") == pytest.approx(record.outer, abs=1e-6)
    assert record.inner == pytest.approx(np.mean([part.inner for part in record.parts[:3]]))
    history = pd.read_csv(swept.folder / "history.csv")
    assert set(history["protocol"]) == {"folds", "holdout"}
    assert set(history["fold"].dropna()) == {0, 1, 2}


def test_the_bundle_answers_and_the_report_states_the_search(swept: Run, phantom: PhantomSummary) -> None:
    image = next(phantom.folder.rglob("*.png"))
    (answer,) = Predictor(swept.folder).predict(image).frame.to_dict("records")
    assert 0 <= answer["prob_malignant"] <= 1
    page = (swept.folder / "report.html").read_text(encoding="utf-8")
    assert "Search for settings" in page
    assert "6 configurations, the given settings first" in page
    assert 'href="#search"' in page


def test_scoring_again_keeps_the_section(swept: Run, tmp_path: Path) -> None:
    rescore(swept.folder, tmp_path / "again", bootstrap=0)
    assert "Search for settings" in (tmp_path / "again" / "report.html").read_text(encoding="utf-8")


def test_trackers_see_inner_scores(swept: Run) -> None:
    tracked = read_tracked(swept.folder)
    assert list(tracked.search) == ["fold 1", "fold 2", "fold 3", "holdout", "final"]
    assert {path.name for path in tracked.files} >= set(SEARCH_FILES)


class StopError(Exception):
    pass


def stop_at(stage: str, count: int) -> Progress:
    def progress(name: str, done: int, total: int) -> None:
        if (name, done) == (stage, count):
            raise StopError

    return progress


@pytest.mark.slow
def test_a_sweep_that_is_stopped_goes_on_with_the_same_result(
    swept: Run, phantom: PhantomSummary, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for stage, count in (("first look", 2), ("search", 1)):
        with pytest.raises(StopError):
            sweep(phantom.folder, out, plan=SWEEP_PLAN, command="lobule sweep", progress=stop_at(stage, count))
    run = sweep(phantom.folder, out, plan=SWEEP_PLAN, command="lobule sweep")
    assert not run.was_done
    assert content_of(out) == content_of(swept.folder)
    for name in SEARCH_FILES:
        assert (out / name).read_bytes() == (swept.folder / name).read_bytes()
    assert litter_in(out) == []
    assert {path.name for path in out.iterdir()} == {path.name for path in swept.folder.iterdir()}


def test_a_finished_sweep_says_so_and_refuses_other_arguments(swept: Run, phantom: PhantomSummary) -> None:
    before = (swept.folder / "report.html").stat().st_mtime_ns
    again = sweep(phantom.folder, swept.folder, plan=SWEEP_PLAN)
    assert again.was_done
    assert (swept.folder / "report.html").stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"sweep\.trials was 6, received 7"):
        sweep(
            phantom.folder,
            swept.folder,
            plan=SweepPlan(SWEEP_CONFIG, SweepSettings(trials=7, finalists=0.5), SWEEP_PLAN.space),
        )


@pytest.mark.parametrize(
    "settings", [{"finetune": {"blocks": 1}}, {"robustness": {"images": 10}}], ids=["finetune", "robustness"]
)
def test_what_a_sweep_cannot_do_is_refused(settings: dict[str, object], tmp_path: Path) -> None:
    config = load_config(settings=settings)
    with pytest.raises(ConfigError, match="a sweep searches frozen features and cannot do this"):
        sweep(tmp_path / "images", tmp_path / "run", plan=SweepPlan(config))
    assert not (tmp_path / "run").exists()


def test_json_values_of_the_record_are_plain(swept: Run) -> None:
    document = json.loads((swept.folder / "search.json").read_text())
    assert document["schema_version"] == 1
    assert document["space"]["head.learning_rate"] == {"low": 0.001, "high": 0.1, "log": True}
    assert document["objective"] == "auroc"
