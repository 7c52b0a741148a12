from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from lobule.data.given_split import Division, GivenSplit
from lobule.data.leakage import LEVELS, Leak, leaks


def frame_of(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image_id", "patient_id", "case_id", "pixel_sha256", "picture"])


FRAME = frame_of(
    ("a", "1A", "1", "p", "a"),
    ("b", "1B", "1", "q", "b"),
    ("c", "1B", "1", "r", "c"),
    ("d", "2", "2", "s", "a"),
    ("e", "3", "3", "", "e"),
    ("f", "4", "4", "", "f"),
)


def found(parts: dict[str, tuple[str, ...]], *, is_crossed: bool = False) -> dict[tuple[str, str], Leak]:
    given = GivenSplit("x", (Division("", parts, is_crossed),), 0, 0)
    return {(leak.part, leak.level): leak for leak in leaks(given, FRAME, levels=tuple(LEVELS))}


def test_a_part_is_compared_with_those_before_it() -> None:
    all_leaks = found({"train": ("a",), "validation": ("b", "e"), "test": ("c", "d", "f")})
    assert {part for part, _ in all_leaks} == {"validation", "test"}
    case = all_leaks["test", "case"]
    assert (case.groups, case.image_ids, case.images) == (("1",), ("c",), 3)
    assert case.share == 1 / 3
    assert case.against == ("train", "validation")
    assert all_leaks["test", "patient"].groups == ("1B",)
    assert all_leaks["validation", "patient"].groups == ()
    assert all_leaks["validation", "case"].image_ids == ("b",)


def test_folds_are_compared_with_all_others() -> None:
    all_leaks = found({"fold 1": ("a",), "fold 2": ("b",), "fold 3": ("d", "e")}, is_crossed=True)
    assert [all_leaks[f"fold {number}", "case"].groups for number in (1, 2, 3)] == [("1",), ("1",), ()]
    assert all_leaks["fold 1", "case"].against == ("fold 2", "fold 3")


def test_pictures_pixels_and_the_image_itself() -> None:
    all_leaks = found({"train": ("a", "f"), "test": ("d", "f", "e")})
    assert all_leaks["test", "same picture"].image_ids == ("d", "f")
    assert all_leaks["test", "image"].image_ids == ("f",)
    assert all_leaks["test", "identical pixels"].groups == ()  # unknown pixels are not the same pixels


@given(st.lists(st.sampled_from(["train", "test"]), min_size=6, max_size=6))
def test_the_counts_are_those_of_a_plain_loop(sides: list[str]) -> None:
    parts = {side: tuple(FRAME["image_id"][[other == side for other in sides]]) for side in ("train", "test")}
    if not all(parts.values()):
        return
    cases = dict(zip(FRAME["image_id"], FRAME["case_id"], strict=True))
    train = {cases[image] for image in parts["train"]}
    leak = found(parts)["test", "case"]
    assert leak.image_ids == tuple(image for image in parts["test"] if cases[image] in train)
    assert set(leak.groups) == train & {cases[image] for image in parts["test"]}
