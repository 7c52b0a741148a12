from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lobule.data.get.breakhis_archive import IMAGES, PATIENTS, tally
from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS, MAGNIFICATIONS, SUBTYPE_OF_CODE

_CODE = {subtype: code for code, subtype in SUBTYPE_OF_CODE.items()}


def breakhis_names() -> Iterator[str]:
    """Yield names of as many images and patients as BreakHis has."""
    for (subtype, magnification), count in IMAGES.items():
        letter = "B" if LABEL_OF_SUBTYPE[subtype] == "benign" else "M"
        for number in range(count):
            slide = 10_000 + 100 * list(PATIENTS).index(subtype) + number % PATIENTS[subtype]
            sequence = number // PATIENTS[subtype]
            yield f"SOB_{letter}_{_CODE[subtype]}-14-{slide}-{magnification}-{sequence:03}.png"


def test_the_table_adds_up_to_the_published_sums() -> None:
    assert sum(IMAGES.values()) == 7909
    assert sum(PATIENTS.values()) == 82
    by_label = {label: [name for name in PATIENTS if LABEL_OF_SUBTYPE[name] == label] for label in LABELS}
    assert [sum(PATIENTS[name] for name in by_label[label]) for label in LABELS] == [24, 58]
    sums = [[sum(IMAGES[name, m] for name in by_label[label]) for m in MAGNIFICATIONS] for label in LABELS]
    assert sums == [[625, 644, 623, 588], [1370, 1437, 1390, 1232]]


def test_all_of_it_differs_in_nothing() -> None:
    assert (tally(breakhis_names()).n_images, tally(breakhis_names()).differences) == (7909, ())


def test_the_names_of_the_real_archive_differ_in_nothing(shared: Path) -> None:
    names = (shared / "breakhis" / "all_filenames.txt").read_text().split()
    assert (tally(names).n_images, tally(names).differences) == (7909, ())


def test_what_differs_is_named() -> None:
    names = [name for name in breakhis_names() if "_A-" not in name or "-40-" not in name]
    found = tally([*names, names[0], "notes.txt"])
    assert found.n_images == 7909 - 114
    assert found.differences == ("adenosis at 40X: 0 instead of 114", "1 names come twice")


def test_patients_are_counted_too() -> None:
    renamed = [name.replace("-14-10003-", "-14-10002AB-") if "_A-" in name else name for name in breakhis_names()]
    assert tally(renamed).differences == ()
    merged = {name.replace("-14-10003-", "-14-10002-9").replace("-9", "-") for name in breakhis_names()}
    assert any("patients with adenosis: 3 instead of 4" in line for line in tally(merged).differences)


@pytest.mark.parametrize("names", [[], ["image.png"]])
def test_other_images_are_none_of_it(names: list[str]) -> None:
    assert tally(names).n_images == 0
