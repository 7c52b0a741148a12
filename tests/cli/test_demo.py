from __future__ import annotations

from pathlib import Path

import pytest

from lobule.demo import Demo
from lobule.pipeline import Run
from tests.cli.conftest import Lobule


@pytest.mark.parametrize("weights", ["none", "imagenet"])
def test_what_was_made_is_said_and_random_filters_are_owned_up_to(
    lobule: Lobule, finished: Run, monkeypatch: pytest.MonkeyPatch, weights: str
) -> None:
    done = Demo(Path("data"), finished, Path("p.csv"), Path("maps"), weights)
    monkeypatch.setattr("lobule.demo.run_demo", lambda *_args, **_options: done)
    shown = lobule("demo", "--out", "d")
    assert shown.code == 0
    assert str(finished.folder / "report.html") in shown.out
    assert "binary, by case: auroc" in shown.out
    assert ("no claim about medicine" in shown.err) == (weights == "none")
    assert lobule("demo", "--json").json == {
        "images": "data",
        "report": str(finished.folder / "report.html"),
        "model": str(finished.folder / "model"),
        "predictions": "p.csv",
        "heat_maps": "maps",
        "weights": weights,
    }
