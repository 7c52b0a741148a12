"""What is classified: labels, tumour subtypes and magnifications, in their fixed order."""

from __future__ import annotations

from typing import Final, Literal

__all__ = [
    "DISCLAIMER",
    "LABELS",
    "LABEL_OF_SUBTYPE",
    "MAGNIFICATIONS",
    "MPP_OF_MAGNIFICATION",
    "POSITIVE_LABEL",
    "SUBTYPES",
    "SUBTYPE_OF_CODE",
    "TASKS",
    "Task",
    "classes_of",
]

DISCLAIMER: Final = "For research use only. Not for diagnosis."

LABELS: Final = ("benign", "malignant")
POSITIVE_LABEL: Final = "malignant"
SUBTYPES: Final = (
    "adenosis",
    "fibroadenoma",
    "phyllodes_tumor",
    "tubular_adenoma",
    "ductal_carcinoma",
    "lobular_carcinoma",
    "mucinous_carcinoma",
    "papillary_carcinoma",
)
LABEL_OF_SUBTYPE: Final = {name: LABELS[index >= 4] for index, name in enumerate(SUBTYPES)}
SUBTYPE_OF_CODE: Final = dict(zip(("A", "F", "PT", "TA", "DC", "LC", "MC", "PC"), SUBTYPES, strict=True))

MAGNIFICATIONS: Final = (40, 100, 200, 400)
MPP_OF_MAGNIFICATION: Final = {40: 0.49, 100: 0.20, 200: 0.10, 400: 0.05}
"""Microns per pixel of the original BreakHis files, by total magnification."""

Task = Literal["binary", "subtype"]
TASKS: Final[tuple[Task, ...]] = ("binary", "subtype")


def classes_of(task: Task) -> tuple[str, ...]:
    """Return the class names of a task, in the order of its probabilities."""
    return LABELS if task == "binary" else SUBTYPES
