from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lobule.data.phantom import PhantomSummary
from lobule.pipeline import Run
from tests.cli.conftest import Lobule
from tests.runs import QUICK, content_of
from tests.tiny_backbone import tiny_backbone


def test_a_run_that_is_done_gets_its_checklists_and_stays_as_it_is(
    lobule: Lobule, finished: Run, phantom: PhantomSummary, tmp_path: Path
) -> None:
    settings = tmp_path / "quick.yaml"
    settings.write_text(QUICK.to_yaml())
    before = content_of(finished.folder)
    with tiny_backbone():
        shown = lobule(
            *("train", phantom.folder, "--out", finished.folder, "--config", settings),
            *("--checklist", "tripod_ai,claim"),
        )
    assert shown.code == 0
    assert "Was done already" in shown.out
    for name in ("tripod-ai", "claim"):
        file = finished.folder / f"checklist_{name}.md"
        assert str(file) in shown.out
        assert "2-fold cross-validation grouped by case" in file.read_text()
        file.unlink()
    assert content_of(finished.folder) == before


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_an_unknown_checklist_is_refused_before_any_work(
    lobule: Lobule, finished: Run, tmp_path: Path, command: str
) -> None:
    shown = lobule(command, finished.folder, "--out", tmp_path / "new", "--checklist", "stard")
    assert (shown.code, shown.out) == (1, "")
    assert "--checklist stard: not known; known are tripod-ai, claim" in shown.err
    assert not (tmp_path / "new").exists()


def test_evaluating_a_run_knows_what_the_run_knows(lobule: Lobule, finished: Run, tmp_path: Path) -> None:
    shown = lobule("evaluate", finished.folder, "--out", tmp_path, "--bootstrap", 10, "--checklist", "claim")
    assert shown.code == 0
    text = (tmp_path / "checklist_claim.md").read_text()
    assert "cross-validation grouped by case" in text
    assert "(10 replicates" in text


def test_a_table_written_by_hand_is_enough(lobule: Lobule, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pd.DataFrame(
        {
            "image_id": [f"i{number}" for number in range(24)],
            "case_id": [f"c{number // 2}" for number in range(24)],
            "label": ["benign", "benign", "malignant", "malignant"] * 6,
            "prob_malignant": rng.uniform(size=24),
        }
    ).to_csv(tmp_path / "mine.csv", index=False)
    shown = lobule(
        "evaluate", tmp_path / "mine.csv", "--out", tmp_path / "out", "--bootstrap", 10, "--checklist", "tripod-ai"
    )
    assert shown.code == 0
    text = (tmp_path / "out" / "checklist_tripod-ai.md").read_text()
    assert "24 images of 12 cases (6 benign, 6 malignant)" in text
    assert text.count("| author must write |") > 20
