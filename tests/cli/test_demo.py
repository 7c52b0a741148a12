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


@pytest.mark.parametrize(
    ("given", "out", "reading"),
    [
        ((), "lobule-demo", {}),
        (("own",), "lobule-demo-own", {}),
        (("own", "--case-pattern", "p[0-9]+"), "lobule-demo-own", {"case_pattern": "p[0-9]+"}),
        (("own", "--group", "image", "--out", "elsewhere"), "elsewhere", {"group": "image"}),
    ],
)
def test_a_folder_has_a_place_of_its_own_and_is_read_as_one_says(
    lobule: Lobule,
    finished: Run,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[str, ...],
    out: str,
    reading: dict[str, str],
) -> None:
    asked = []

    def run_demo(out: Path, **options: object) -> Demo:
        asked.append((out.name, options["reading"]))
        return Demo(Path("data"), finished, Path("p.csv"), Path("maps"), "none")

    monkeypatch.setattr("lobule.demo.run_demo", run_demo)
    assert lobule("demo", *given).code == 0
    assert asked == [(out, reading)]


def test_synthetic_tissue_is_read_in_one_way_only(lobule: Lobule) -> None:
    shown = lobule("demo", "--case-pattern", "p[0-9]+")
    assert shown.code != 0
    assert "name one, or leave them out" in shown.err
