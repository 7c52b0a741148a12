"""Who is who: the unique id of every image, and the case and patient it belongs to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lobule.data.layouts import Description
from lobule.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lobule.config import DataSettings

__all__ = ["identified", "unique_ids"]


def identified(descriptions: Sequence[Description], *, settings: DataSettings) -> tuple[Description, ...]:
    """Give every image its id, case and patient.

    A case comes from the BreakHis name or the CSV, else from `case_pattern`. What is missing is filled only where that
    cannot divide anything: the case with the patient when patients are kept together, both with the image when the user
    asked for images; the patient with the case.

    Raises:
        ConfigError: `case_pattern` is not a regular expression.
        DataError: the unit that the split must keep together is not known for every image, or a given id is repeated.
    """
    ids = _ids(descriptions)
    pattern = _compiled(settings.case_pattern)
    cases = [item.case_id or _case_in(item.path, pattern) for item in descriptions]
    _refuse_unknown(descriptions, cases, settings)
    return tuple(
        _identified(item, image_id, case_id) for item, image_id, case_id in zip(descriptions, ids, cases, strict=True)
    )


def unique_ids(paths: Sequence[str]) -> list[str]:
    """Return the shortest unique id of every path: the stem, else the path without extension, else the path.

    Args:
        paths: distinct paths with forward slashes.

    >>> unique_ids(["a/1.png", "b/1.png", "b/2.png"])
    ['a/1', 'b/1', '2']
    """
    ids = [_stem(path) for path in paths]
    level: dict[int, int] = {}
    while True:
        count = Counter(ids)
        shared = [row for row, image_id in enumerate(ids) if count[image_id] > 1 and level.get(row, 0) < 2]
        if not shared:
            return ids
        for row in shared:
            level[row] = level.get(row, 0) + 1
            ids[row] = paths[row] if level[row] == 2 else str(PurePosixPath(paths[row]).with_suffix(""))


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    # Plain names are split here: of a million, pathlib would take ten seconds.
    return stem if stem and dot and extension and not stem.startswith(".") else PurePosixPath(path).stem


def _ids(descriptions: Sequence[Description]) -> list[str]:
    if not all(item.image_id for item in descriptions):
        return unique_ids([item.path for item in descriptions])
    ids = [item.image_id for item in descriptions]
    if repeated := [image_id for image_id, count in Counter(ids).items() if count > 1]:
        raise DataError(f"column image_id: must be unique; {len(repeated)} ids are repeated, first {repeated[:3]}.")
    return ids


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise ConfigError(f"--case-pattern {pattern!r}: not a regular expression ({error}).") from None


def _case_in(path: str, pattern: re.Pattern[str] | None) -> str:
    match = pattern.search(path) if pattern else None
    if match is None:
        return ""
    return (match[1] if match.re.groups else match[0]) or ""


def _refuse_unknown(items: Sequence[Description], cases: Sequence[str], settings: DataSettings) -> None:
    unknown = [
        item.path
        for item, case_id in zip(items, cases, strict=True)
        if not case_id and (settings.group == "case" or (settings.group == "patient" and not item.patient_id))
    ]
    if not unknown:
        return
    reason = (
        f"--case-pattern {settings.case_pattern!r} does not match"
        if settings.case_pattern
        else f"the {settings.group} is not known for"
    )
    raise DataError(
        f"{reason} {len(unknown)} of {len(items)} images, first {', '.join(unknown[:3])}. Images of one case must stay "
        "on one side of a split. Say where the case stands: --case-pattern REGEX (its first group in the path), or a "
        "CSV with a column case_id; or let images of one case cross the split, on your own responsibility: "
        "--group image."
    )


def _identified(item: Description, image_id: str, case_id: str) -> Description:
    case_id = case_id or item.patient_id or image_id
    return Description(  # of a million, `dataclasses.replace` takes half a minute
        path=item.path,
        label=item.label,
        subtype=item.subtype,
        patient_id=item.patient_id or case_id,
        case_id=case_id,
        magnification=item.magnification,
        mpp=item.mpp,
        image_id=image_id,
        breakhis=item.breakhis,
        pixel_sha256=item.pixel_sha256,
    )
