"""The checks of an audit: each is one function from the rows of a manifest to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from lobule.data.findings import Finding, Imbalance
from lobule.taxonomy import LABELS

__all__ = ["NAME_CHECKS", "PIXEL_CHECKS", "Check", "imbalance"]

Check = Callable[[pd.DataFrame], Iterator[Finding]]
"""Takes the rows of a manifest sorted by image_id."""

_IDS_SHOWN = 3


def imbalance(frame: pd.DataFrame) -> Iterator[Imbalance]:
    """Count the images of each label by magnification, size in pixels and file format."""
    size = frame["width"].map(str) + "x" + frame["height"].map(str)
    attributes = {
        "magnification": frame["magnification"].map(str).astype(object).mask(frame["magnification"].isna()),
        "size": size.mask(frame["width"] == 0),
        "format": frame["path"].map(lambda path: PurePosixPath(path).suffix.lower().removeprefix(".")),
    }
    for attribute, values in attributes.items():
        counts = pd.crosstab(values.fillna("unknown"), frame["label"]).reindex(columns=list(LABELS), fill_value=0)
        for value in sorted(counts.index, key=_naturally):
            yield Imbalance(attribute, value, *(int(count) for count in counts.loc[value]))


def identical_pixels(frame: pd.DataFrame) -> Iterator[Finding]:
    """Find images with the same pixels, and whether their classes contradict each other."""
    known = frame[frame["pixel_sha256"] != ""]
    for _, copies in known[known["pixel_sha256"].duplicated(keep=False)].groupby("pixel_sha256", sort=False):
        yield _copies(copies)


def cases_with_both_labels(frame: pd.DataFrame) -> Iterator[Finding]:
    """Find cases with benign and malignant images: possible in one patient, and often a wrong case."""
    for case_id, images in frame.groupby("case_id"):
        if images["label"].nunique() > 1:
            yield Finding(
                kind="case_with_both_labels",
                severity="warning",
                image_ids=tuple(images["image_id"]),
                case_ids=(str(case_id),),
                message=f"case {case_id} has {_counted(images['label'])}",
                policy="keep_all",
            )


PIXEL_CHECKS: tuple[Check, ...] = (identical_pixels,)
"""Need the digests of pixels."""

NAME_CHECKS: tuple[Check, ...] = (cases_with_both_labels,)
"""Need what a name or a row says, and no pixels."""


def _copies(copies: pd.DataFrame) -> Finding:
    ids, cases = tuple(copies["image_id"]), tuple(sorted(set(copies["case_id"])))
    same = f"{_listed(ids)} have the same pixels"
    linked = f"; they link the cases {_listed(cases)}, of which one keeps the image" if len(cases) > 1 else ""
    if copies["label"].nunique() > 1:
        contradiction = f"{same} but different labels ({_counted(copies['label'])}): none is kept"
        return Finding("label_conflict", "error", ids, cases, contradiction, "drop_all")
    subtypes = copies["subtype"][copies["subtype"] != ""]
    if subtypes.nunique() > 1:
        contradiction = f"{same} but different subtypes ({_counted(subtypes)}): one is kept, without subtype{linked}"
        return Finding("subtype_conflict", "error", ids, cases, contradiction, "keep_first_without_subtype")
    severity: Any = "warning" if linked else "note"
    return Finding("identical_pixels", severity, ids, cases, f"{same}: one is kept{linked}", "keep_first")


def _counted(values: pd.Series[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in values.value_counts().sort_index().items())


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _IDS_SHOWN
    return ", ".join(names[:_IDS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _naturally(value: str) -> tuple[int, str]:
    digits = value.partition("x")[0]
    return (int(digits) if digits.isdecimal() else 0, value)
