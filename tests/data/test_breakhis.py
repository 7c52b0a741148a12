from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobule.data.breakhis import IMAGE_EXTENSIONS, BreakHisName, is_image_name, mpp_of, parse_name
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPE_OF_CODE, SUBTYPES

COUNTS = {
    "adenosis": (114, 113, 111, 106),
    "fibroadenoma": (253, 260, 264, 237),
    "phyllodes_tumor": (109, 121, 108, 115),
    "tubular_adenoma": (149, 150, 140, 130),
    "ductal_carcinoma": (864, 903, 896, 788),
    "lobular_carcinoma": (156, 170, 163, 137),
    "mucinous_carcinoma": (205, 222, 196, 169),
    "papillary_carcinoma": (145, 142, 135, 138),
}


def parsed(name: str) -> BreakHisName:
    result = parse_name(name)
    assert result is not None, name
    return result


def test_a_name_is_read_whole() -> None:
    assert parsed("SOB_B_PT-14-21998AB-400-012.png") == BreakHisName(
        "SOB_B_PT-14-21998AB-400-012", "benign", "phyllodes_tumor", "14-21998AB", "14-21998", 400, 12
    )


@pytest.mark.parametrize(
    ("patient_id", "case_id"), [("14-22549AB", "14-22549"), ("14-14134", "14-14134"), ("15-190EF", "15-190")]
)
def test_a_case_is_the_patient_without_letters(patient_id: str, case_id: str) -> None:
    assert parsed(f"SOB_B_F-{patient_id}-40-001.png").case_id == case_id


def test_the_case_filed_twice_is_one_case() -> None:
    ductal, lobular = parsed("SOB_M_DC-14-13412-40-001.png"), parsed("SOB_M_LC-14-13412-40-001.png")
    assert ductal.case_id == lobular.case_id == "14-13412"
    assert (ductal.subtype, lobular.subtype) == ("ductal_carcinoma", "lobular_carcinoma")


@pytest.mark.parametrize(
    "name",
    [
        "SOB_M_A-14-22549AB-40-001.png",
        "SOB_B_DC-14-2523-40-001.png",
        "SOB_B_A_14-22549AB-40-001.png",
        "SOB_B_A-14-22549AB-50-001.png",
        "SOB_B_A-14-22549AB-40-01.png",
        "SOB_B_A-14-22549AB-40-001",
        "SOB_B_A-14-22549AB-40-001.txt",
        "SOB_B_A-14-22549AB-40-001.copy.png",
        "benign/SOB_B_A-14-22549AB-40-001.png",
        "sob_b_a-14-22549ab-40-001.png",
        "SOB_B_A-١٤-22549AB-40-001.png",
        "",
    ],
)
def test_other_names_are_not_guessed(name: str) -> None:
    assert parse_name(name) is None


@settings(deadline=None)
@given(
    code=st.sampled_from(sorted(SUBTYPE_OF_CODE)),
    year=st.from_regex(r"[0-9]{2}", fullmatch=True),
    number=st.integers(0, 99999),
    letters=st.from_regex(r"[A-Z]{0,2}", fullmatch=True),
    magnification=st.sampled_from([40, 100, 200, 400]),
    sequence=st.integers(0, 999),
    extension=st.sampled_from(sorted(IMAGE_EXTENSIONS)),
)
def test_every_name_of_the_grammar_is_read(
    code: str, year: str, number: int, letters: str, magnification: int, sequence: int, extension: str
) -> None:
    subtype = SUBTYPE_OF_CODE[code]
    letter = "B" if LABEL_OF_SUBTYPE[subtype] == "benign" else "M"
    stem = f"SOB_{letter}_{code}-{year}-{number}{letters}-{magnification}-{sequence:03}"
    expected = (stem, LABEL_OF_SUBTYPE[subtype], subtype, f"{year}-{number}{letters}", f"{year}-{number}")
    name = parsed(stem + extension.upper())
    assert (name.image_id, name.label, name.subtype, name.patient_id, name.case_id) == expected
    assert (name.magnification, name.sequence) == (magnification, sequence)


@pytest.mark.shared
def test_all_names_of_the_data_set(shared: Path) -> None:
    lines = (shared / "breakhis" / "all_filenames.txt").read_text().split()
    listed = "\n".join(sorted(lines)) + "\n"
    assert hashlib.sha256(listed.encode()).hexdigest() == (
        "4981a5a716ee124920d37e834688224cd7e8be52a8cd0544d250d889d9e18a40"
    )
    names = [parsed(line) for line in lines]
    assert len(names) == 7909
    assert len({name.case_id for name in names}) == 70
    assert len({name.patient_id for name in names}) == 81
    assert len({(name.patient_id, name.subtype) for name in names}) == 82
    counts = Counter((name.subtype, name.magnification) for name in names)
    assert {subtype: tuple(counts[subtype, mag] for mag in (40, 100, 200, 400)) for subtype in SUBTYPES} == COUNTS


def test_microns_per_pixel_are_known_of_originals_alone() -> None:
    name = parsed("SOB_B_A-14-22549AB-100-001.png")
    assert [mpp_of(name, width=700, height=height) for height in (455, 456, 460, 461)] == [None, 0.20, 0.20, None]
    assert mpp_of(name, width=224, height=224) is None


def test_an_extension_makes_an_image() -> None:
    names = ["a.PNG", "a.jpeg", "a.svs", "png", ".png", "a.png.txt"]
    assert [is_image_name(name) for name in names] == [True, True, False, False, False, False]
