from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lobule.errors import RunError
from lobule.pipeline import Run
from lobule.tracking.tracked import read_tracked
from tests.runs import QUICK


def test_everything_that_is_tracked_stands_in_the_run_folder(finished: Run) -> None:
    tracked = read_tracked(finished.folder)
    assert (tracked.name, len(tracked.run_id)) == ("run", 12)
    assert tracked.settings["head.hidden"] == QUICK.head.hidden
    assert tracked.settings["features.views"] == '["identity", "flip_horizontal"]'
    assert set(tracked.curves) == {"folds-0", "folds-1", "holdout"}
    history = pd.read_csv(finished.folder / "history.csv")
    assert sum(len(scalars) for scalars in tracked.curves.values()) == history.iloc[:, 4:].notna().sum().sum()
    value = finished.metrics.value("binary", "auroc")
    assert tracked.metrics["binary/folds/image/auroc"] == value
    assert tracked.metrics["binary/folds/image/auroc_low"] <= tracked.metrics["binary/folds/image/auroc_high"]
    assert any("confusion" in path.name for path in tracked.figures)
    assert {path.name for path in tracked.files} >= {"report.html", "metrics.json", "config.yaml", "run.json"}
    assert tracked.search == {}


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run\.json"):
        read_tracked(tmp_path)
