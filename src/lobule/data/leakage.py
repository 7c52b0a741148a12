"""What stands on both sides of a split, by image, patient, case and picture, and how many images that touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from lobule.data.given_split import Division, GivenSplit

__all__ = ["LEVELS", "Leak", "leaks"]

LEVELS = {
    "image": "image_id",
    "patient": "patient_id",
    "case": "case_id",
    "identical pixels": "pixel_sha256",
    "same picture": "picture",
}
"""What may be shared, and the column that tells; "same picture" is identical or nearly identical pixels."""


@dataclass(frozen=True)
class Leak:
    """What one part of a split shares with the parts it is held out from; nothing where `groups` is empty.

    Attributes:
        division: name of the division; "" where the split has only one.
        part: the part that is held out.
        against: the parts it must not share anything with.
        level: which kind of thing is looked at, a key of LEVELS.
        groups: what stands on both sides, sorted: ids of images, patients or cases, digests, or first image ids.
        image_ids: images of the part that are touched, sorted.
        case_ids: their cases, sorted.
        images: number of images of the part.
    """

    division: str
    part: str
    against: tuple[str, ...]
    level: str
    groups: tuple[str, ...]
    image_ids: tuple[str, ...]
    case_ids: tuple[str, ...]
    images: int

    @property
    def share(self) -> float:
        """Share of the part's images that are touched, 0 to 1."""
        return len(self.image_ids) / self.images


def leaks(given: GivenSplit, frame: pd.DataFrame, *, levels: tuple[str, ...]) -> Iterator[Leak]:
    """Compare each part of a split with the parts it is held out from.

    Args:
        given: the split.
        frame: rows of its manifest, with a column `picture`.
        levels: which of LEVELS are known.

    Yields:
        A row for each part and level. Of train, validation and test, each is compared with those before it; of folds,
        each with all others.
    """
    rows = frame.set_index("image_id", drop=False)
    for division in given.divisions:
        for part, against in _comparisons(division):
            inside = rows.loc[list(division.parts[part])]
            outside = rows.loc[[image for other in against for image in division.parts[other]]]
            for level in levels:
                yield _leak(division.name, part, against, level, inside, outside)


def _comparisons(division: Division) -> Iterator[tuple[str, tuple[str, ...]]]:
    names = tuple(division.parts)
    for position, part in enumerate(names):
        others = (*names[:position], *(names[position + 1 :] if division.is_crossed else ()))
        if others:
            yield part, others


def _leak(
    division: str, part: str, against: tuple[str, ...], level: str, inside: pd.DataFrame, outside: pd.DataFrame
) -> Leak:
    column = LEVELS[level]
    shared = (set(inside[column]) & set(outside[column])) - {""}
    touched = inside[inside[column].isin(shared)]
    return Leak(
        division=division,
        part=part,
        against=against,
        level=level,
        groups=tuple(sorted(shared)),
        image_ids=tuple(sorted(touched["image_id"])),
        case_ids=tuple(sorted(set(touched["case_id"]))),
        images=len(inside),
    )
