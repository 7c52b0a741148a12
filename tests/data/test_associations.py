from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobule.data.associations import Association, associations, attributes_of, is_clear


def frame_of(labels: list[str], cases: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"label": labels, "case_id": cases})


def measured(labels: list[str], cases: list[str], values: list[str]) -> Association:
    (found,) = associations(frame_of(labels, cases), pd.DataFrame({"trait": values}))
    return found


LABELS = ["benign"] * 40 + ["malignant"] * 40
CASES = [f"{number // 4}" for number in range(80)]


def test_a_trait_that_tells_the_label_is_clear() -> None:
    found = measured(LABELS, CASES, ["a"] * 40 + ["b"] * 40)
    assert found.balanced_accuracy == 1.0
    assert found.by_chance < 0.9
    assert is_clear(found)


def test_a_trait_that_every_case_has_for_itself_tells_nothing_of_other_cases() -> None:
    assert measured(LABELS, CASES, CASES).balanced_accuracy == 0.5
    assert measured(LABELS, CASES, [f"{number}" for number in range(80)]).balanced_accuracy == 0.5


def test_a_random_trait_is_not_clear() -> None:
    random = np.random.default_rng(0)
    clear = [is_clear(measured(LABELS, CASES, random.choice(["a", "b", "c"], 80).tolist())) for _ in range(20)]
    assert sum(clear) <= 2


def test_many_images_of_one_case_are_one_witness() -> None:
    labels = ["benign"] * 60 + ["malignant"] * 60
    cases = ["1"] * 50 + ["2", "3"] * 5 + ["4"] * 50 + ["5", "6"] * 5
    found = measured(labels, cases, ["a"] * 50 + ["c"] * 10 + ["b"] * 50 + ["c"] * 10)
    assert not is_clear(found)


def test_traits_that_divide_alike_are_one_and_constant_ones_none() -> None:
    attributes = pd.DataFrame({"x": ["1", "2", "2"], "y": ["p", "q", "q"], "same": ["s"] * 3})
    (found,) = associations(frame_of(["benign", "malignant", "malignant"], ["1", "2", "3"]), attributes)
    assert (found.attributes, found.values) == (("x", "y"), 2)


def test_one_label_alone_can_not_be_predicted() -> None:
    assert measured(["benign"] * 3, ["1", "2", "3"], ["a", "a", "b"]).balanced_accuracy == 0.5


rows = st.lists(st.tuples(st.sampled_from(["benign", "malignant"]), st.sampled_from("123456"), st.sampled_from("abc")))


@settings(max_examples=30)
@given(rows.filter(lambda rows: len({value for *_, value in rows}) > 1))
def test_the_order_of_images_and_the_names_of_values_do_not_matter(
    rows: list[tuple[str, str, str]],
) -> None:
    labels, cases, values = (list(column) for column in zip(*rows, strict=True))
    found = measured(labels, cases, values)
    assert 0 <= found.balanced_accuracy <= 1
    renamed = measured(labels, cases, [value.replace("a", "z") for value in values])
    assert renamed.balanced_accuracy == pytest.approx(found.balanced_accuracy)
    backwards = measured(labels[::-1], cases[::-1], values[::-1])
    assert backwards.balanced_accuracy == pytest.approx(found.balanced_accuracy)


def test_the_attributes_of_images() -> None:
    frame = pd.DataFrame(
        {"path": ["a.PNG", "b.jpg"], "width": [10, 0], "height": [20, 0]},
    ).assign(magnification=pd.array([40, None], dtype="Int64"))
    found = attributes_of(frame, [{"pixel mode": "RGB", "entries": ""}, None])
    assert found.to_dict("list") == {
        "magnification": ["40", "unknown"],
        "size": ["10x20", "unknown"],
        "format": ["png", "jpg"],
        "entries": ["absent", "unknown"],
        "pixel mode": ["RGB", "unknown"],
    }
