from __future__ import annotations

import pytest

from lobule.data.layouts import Classes, describe_path
from lobule.errors import ConfigError, DataError


def described(path: str, **labels: str) -> tuple[str, str, int | None]:
    found = describe_path(path, classes=Classes(labels))
    return found.label, found.subtype, found.magnification


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("benign/1.png", ("benign", "", None)),
        ("train/Malignant/100X/1.png", ("malignant", "", 100)),
        ("400x/ductal carcinoma/1.png", ("malignant", "ductal_carcinoma", 400)),
        ("Phyllodes-Tumour/1.png", ("benign", "phyllodes_tumor", None)),
        ("benign/adenosis/case 7/40 X/1.png", ("benign", "adenosis", 40)),
        ("BENIGN/ tubular__adenoma /1.png", ("benign", "tubular_adenoma", None)),
        ("malignant/40/1.png", ("malignant", "", None)),
    ],
)
def test_folders_name_the_class(path: str, expected: tuple[str, str, int | None]) -> None:
    assert described(path) == expected


def test_the_file_name_wins_over_its_folders() -> None:
    found = describe_path("malignant/40X/SOB_B_A-14-22549AB-100-001.webp", classes=Classes({}))
    assert (found.label, found.subtype, found.magnification) == ("benign", "adenosis", 100)
    assert (found.patient_id, found.case_id) == ("14-22549AB", "14-22549")


def test_the_users_own_class_names() -> None:
    assert described("n/1.png", n="benign") == ("benign", "", None)
    assert described("IDC/1.png", idc="Ductal Carcinoma") == ("malignant", "ductal_carcinoma", None)
    assert described("benign/1.png", benign="malignant") == ("malignant", "", None)


@pytest.mark.parametrize("path", ["1.png", "normal/1.png", "not_benign/1.png", "x/benign.png"])
def test_no_class_is_said_with_the_way_out(path: str) -> None:
    with pytest.raises(DataError, match="--labels theirs=ours"):
        described(path)


@pytest.mark.parametrize("path", ["benign/malignant/1.png", "benign/ductal_carcinoma/1.png", "adenosis/fibroadenoma/1"])
def test_contradicting_folders_are_refused(path: str) -> None:
    with pytest.raises(DataError, match="contradict each other"):
        described(path)


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"labels n=normal.*allowed: benign, malignant"):
        Classes({"n": "normal"})
