"""The official BreakHis archive: how many images it must hold, and how it is cited."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lobule.data.breakhis import BreakHisName, parse_name
from lobule.taxonomy import DISCLAIMER, MAGNIFICATIONS, SUBTYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CITATION", "IMAGES", "PATIENTS", "Tally", "tally"]

CITATION: Final = f"""BreakHis, the Breast Cancer Histopathological Database
https://web.inf.ufpr.br/vri/databases/breast-cancer-histopathological-database-breakhis

Cite: F. A. Spanhol, L. S. Oliveira, C. Petitjean, L. Heutte, "A Dataset for Breast Cancer Histopathological Image
Classification", IEEE Transactions on Biomedical Engineering 63(7):1455-1462, 2016, doi 10.1109/TBME.2015.2496264.

Licence: stated as CC BY 4.0 in some places and as non-commercial research in others. Use it for research only, and
read the page above before you pass it on.
{DISCLAIMER}
"""

_COUNTS = (
    (114, 113, 111, 106),
    (253, 260, 264, 237),
    (109, 121, 108, 115),
    (149, 150, 140, 130),
    (864, 903, 896, 788),
    (156, 170, 163, 137),
    (205, 222, 196, 169),
    (145, 142, 135, 138),
)
IMAGES: Final = {
    (subtype, magnification): count
    for subtype, row in zip(SUBTYPES, _COUNTS, strict=True)
    for magnification, count in zip(MAGNIFICATIONS, row, strict=True)
}
"""Images by subtype and magnification, as published; 7,909 together."""
PATIENTS: Final = dict(zip(SUBTYPES, (4, 10, 3, 7, 38, 5, 9, 6), strict=True))
"""Patient folders by subtype, as published; 82 together, one patient under two subtypes."""


@dataclass(frozen=True)
class Tally:
    """How many BreakHis images there are, beside how many there must be.

    Attributes:
        n_images: different images whose name follows the BreakHis grammar.
        differences: what differs from the published table, in words; empty when it is all of BreakHis.
    """

    n_images: int
    differences: tuple[str, ...]


def tally(names: Iterable[str]) -> Tally:
    """Count file names against the published table.

    Args:
        names: file names without folders; what does not follow the grammar is passed over.

    Returns:
        What was found; names that come twice are counted once, and are a difference.
    """
    parsed = [found for name in names if (found := parse_name(name)) is not None]
    images = {found.image_id: found for found in parsed}
    differences = [*_by_magnification(images.values()), *_by_patient(images.values())]
    if len(parsed) > len(images):
        differences.append(f"{len(parsed) - len(images)} names come twice")
    return Tally(len(images), tuple(differences))


def _by_magnification(images: Iterable[BreakHisName]) -> list[str]:
    counted = Counter((image.subtype, image.magnification) for image in images)
    return [
        f"{subtype.replace('_', ' ')} at {magnification}X: {counted[subtype, magnification]} instead of {published}"
        for (subtype, magnification), published in IMAGES.items()
        if counted[subtype, magnification] != published
    ]


def _by_patient(images: Iterable[BreakHisName]) -> list[str]:
    patients: dict[str, set[str]] = defaultdict(set)
    for image in images:
        patients[image.subtype].add(image.patient_id)
    return [
        f"patients with {subtype.replace('_', ' ')}: {len(patients[subtype])} instead of {published}"
        for subtype, published in PATIENTS.items()
        if len(patients[subtype]) != published
    ]
