from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobule.config import DataSettings
from lobule.data.identity import identified, unique_ids
from lobule.data.layouts import Description
from lobule.errors import ConfigError, DataError

PATHS = st.lists(st.from_regex(r"([ab]/){0,2}[ab](\.[ab])?\.(png|jpg)", fullmatch=True), unique=True, max_size=12)


@settings(deadline=None)
@given(PATHS)
def test_ids_are_unique_and_stems_stay_where_they_are_unique(paths: list[str]) -> None:
    ids = unique_ids(paths)
    assert len(set(ids)) == len(paths)
    stems = [PurePosixPath(path).stem for path in paths]
    for path, stem, image_id in zip(paths, stems, ids, strict=True):
        assert image_id in (stem, path.rpartition(".")[0], path)
        if stems.count(stem) > 1 and paths.count(path) == 1 and "/" in path:
            assert image_id != stem


@pytest.mark.parametrize(
    ("paths", "ids"),
    [
        (["a/1.png", "b/2.png"], ["1", "2"]),
        (["a/1.png", "b/1.png", "b/2.png"], ["a/1", "b/1", "2"]),
        (["foo.png", "foo.jpg"], ["foo.png", "foo.jpg"]),
        (["foo.png", "foo.jpg", "foo.png.jpg"], ["foo.png", "foo.jpg", "foo.png.jpg"]),
        (["a/x.png", "x.png"], ["a/x", "x"]),
    ],
)
def test_the_shortest_unique_id(paths: list[str], ids: list[str]) -> None:
    assert unique_ids(paths) == ids


def found(*items: Description, **settings: str) -> list[tuple[str, str]]:
    known = identified(items, settings=DataSettings.model_validate(settings))
    return [(item.case_id, item.patient_id) for item in known]


def test_a_pattern_finds_the_case() -> None:
    items = Description("benign/K7_1.png"), Description("benign/K8_1.png")
    assert found(*items, case_pattern=r"(K\d+)_") == [("K7", "K7"), ("K8", "K8")]
    assert found(*items, case_pattern=r"K\d") == [("K7", "K7"), ("K8", "K8")]


def test_a_known_case_is_not_overruled() -> None:
    assert found(Description("14-1.png", case_id="14-1"), case_pattern=r"\d") == [("14-1", "14-1")]


def test_a_missing_case_is_refused_with_every_way_out() -> None:
    with pytest.raises(DataError) as caught:
        found(Description("a.png", case_id="1"), Description("b.png"))
    message = str(caught.value)
    for part in ("1 of 2 images", "b.png", "--case-pattern", "case_id", "--group image"):
        assert part in message


@pytest.mark.parametrize("pattern", [r"K(\d+)", r"K(\d*)_|(x)"])
def test_a_pattern_that_does_not_match_names_the_files(pattern: str) -> None:
    with pytest.raises(DataError, match=r"does not match 1 of 2 images, first benign/z\.png"):
        found(Description("K1_.png"), Description("benign/z.png"), case_pattern=pattern)


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a regular expression"):
        found(Description("a.png"), case_pattern="(")


def test_images_stand_for_cases_only_when_asked() -> None:
    assert found(Description("x/a.png"), Description("b.png", case_id="7"), group="image") == [("a", "a"), ("7", "7")]


def test_patients_stand_for_cases_when_patients_are_kept_together() -> None:
    assert found(Description("a.png", patient_id="P"), group="patient") == [("P", "P")]
    assert found(Description("a.png", case_id="C"), group="patient") == [("C", "C")]
    with pytest.raises(DataError, match="the patient is not known for 1 of 1"):
        found(Description("a.png"), group="patient")
    with pytest.raises(DataError, match="the case is not known"):
        found(Description("a.png", patient_id="P"), group="case")


def test_given_ids_are_kept_and_must_be_unique() -> None:
    items = Description("a.png", image_id="one", case_id="1"), Description("b.png", image_id="one", case_id="1")
    assert identified(items[:1], settings=DataSettings())[0].image_id == "one"
    with pytest.raises(DataError, match="column image_id: must be unique"):
        found(*items)
