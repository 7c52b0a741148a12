from __future__ import annotations

import numpy as np
import pytest

from lobule.evaluation.decision.operating import LabelSets, OperatingPoint, undecided
from lobule.evaluation.decision.verdicts import NO_GUARANTEE, Verdict, verdict_of, verdicts_of


def _point(benign: float | None, malignant: float | None, cases: int = 12) -> OperatingPoint:
    sets = LabelSets(alpha=0.1, benign=benign, malignant=malignant, benign_cases=cases, malignant_cases=cases)
    return OperatingPoint(temperature=1.0, threshold=0.6, label_sets=sets)


@pytest.mark.parametrize(
    ("probability", "benign", "malignant", "expected"),
    [
        (0.3, 0.5, 0.5, Verdict("benign", "benign", "benign", "")),
        (0.7, 0.5, 0.5, Verdict("malignant", "malignant", "malignant", "")),
        (
            0.55,
            0.5,
            0.5,
            Verdict(
                "benign", "malignant", "uncertain", "uncertain: only one label fits, and the threshold gives the other"
            ),
        ),
        (0.5, 0.7, 0.7, Verdict("benign", "benign|malignant", "uncertain", "uncertain: both labels fit")),
        (0.5, 0.4, 0.4, Verdict("benign", "", "uncertain", "uncertain: neither label fits")),
        (0.6, None, 0.4, Verdict("malignant", "", "malignant", NO_GUARANTEE)),
    ],
)
def test_verdicts(probability: float, benign: float | None, malignant: float | None, expected: Verdict) -> None:
    assert verdict_of(probability, _point(benign, malignant)) == expected


def test_a_refused_image_keeps_its_label_and_says_why() -> None:
    assert verdict_of(0.7, _point(0.5, 0.5), refusal="blank") == Verdict(
        "malignant", "malignant", "not assessable", "blank"
    )


def test_where_nothing_was_calibrated_nothing_is_missed() -> None:
    assert verdict_of(0.7, undecided().image) == Verdict("malignant", "", "malignant", "")


def test_rows_without_a_probability_say_nothing() -> None:
    said = verdicts_of(np.array([0.7, np.nan]), [_point(0.5, 0.5)], ["", "blank"])
    assert said.tolist() == [["malignant", "malignant", "malignant", ""], ["", "", "", ""]]
    assert verdicts_of(np.empty(0), [_point(0.5, 0.5)], []).shape == (0, 4)
