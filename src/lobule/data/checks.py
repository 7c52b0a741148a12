"""The checks of an audit: each is one function from the rows of a manifest to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd

from lobule.data.associations import Association, is_clear
from lobule.data.findings import Finding, Imbalance, Kind, Severity
from lobule.data.leakage import Leak
from lobule.taxonomy import LABELS

__all__ = ["NAME_CHECKS", "PIXEL_CHECKS", "Check", "attributes_that_predict", "imbalance", "leaks_between_parts"]

Check = Callable[[pd.DataFrame], Iterator[Finding]]
"""Takes the rows of a manifest sorted by image_id, with a column `picture`."""

_IDS_SHOWN = 3
_VALUES_SHOWN = 8
_KINDS: tuple[Kind, Kind, Kind] = ("identical_pixels", "subtype_conflict", "label_conflict")
_NEAR_KINDS: tuple[Kind, Kind, Kind] = ("near_duplicates", "near_subtype_conflict", "near_label_conflict")
_LEAKS: dict[str, tuple[str, str, Kind]] = {
    "image": ("image", "images", "image_on_both_sides"),
    "patient": ("patient", "patients", "patient_on_both_sides"),
    "case": ("case", "cases", "case_on_both_sides"),
    "identical pixels": ("picture with identical pixels", "pictures with identical pixels", "pixels_on_both_sides"),
    "same picture": ("picture, identical or nearly,", "pictures, identical or nearly,", "picture_on_both_sides"),
}


def imbalance(frame: pd.DataFrame, attributes: pd.DataFrame) -> Iterator[Imbalance]:
    """Count the images of each label at each value of each attribute; rare values are counted together.

    Args:
        frame: rows of a manifest.
        attributes: of the same rows, a column of text an attribute.
    """
    for attribute, values in attributes.items():
        frequent = values.value_counts(sort=True).index[:_VALUES_SHOWN]
        shown = values.where(values.isin(frequent), "other")
        counts = pd.crosstab(shown, frame["label"]).reindex(columns=list(LABELS), fill_value=0)
        for value in sorted(counts.index, key=_naturally):
            yield Imbalance(str(attribute), value, *(int(count) for count in counts.loc[value]))


def identical_pixels(frame: pd.DataFrame) -> Iterator[Finding]:
    """Find images with the same pixels, and whether their classes contradict each other."""
    known = frame[frame["pixel_sha256"] != ""]
    for _, copies in known[known["pixel_sha256"].duplicated(keep=False)].groupby("pixel_sha256", sort=False):
        yield _copies(copies)


def near_duplicates(frame: pd.DataFrame) -> Iterator[Finding]:
    """Find images of one picture with different pixels, and whether their classes contradict each other.

    The largest copy stands first, and is the one that is kept. Copies with identical pixels are listed among the
    others: their classes count too.
    """
    distinct = frame[frame["pixel_sha256"] != ""].groupby("picture", sort=False)["pixel_sha256"].transform("nunique")
    several = frame.loc[distinct.index[distinct > 1]]
    largest_first = several.assign(area=-several["width"] * several["height"]).sort_values(["area", "image_id"])
    for _, copies in largest_first.groupby("picture", sort=False):
        yield _copies(copies, near=True)


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


def leaks_between_parts(leaks: Iterable[Leak]) -> Iterator[Finding]:
    """Find what stands on both sides of a split."""
    for leak in leaks:
        if leak.groups:
            one, many, kind = _LEAKS[leak.level]
            counted = f"{len(leak.groups)} {one if len(leak.groups) == 1 else many}"
            part = f"{leak.division}, {leak.part}" if leak.division else leak.part
            against = "the other folds" if len(leak.against) > 2 else " or ".join(leak.against)
            touched = f"{len(leak.image_ids):,} of {leak.images:,} images ({leak.share:.1%})"
            named = leak.groups if leak.level in ("patient", "case") else leak.image_ids
            message = f"{part}: {touched} are of {counted} also in {against}: {_listed(named)}"
            yield Finding(kind, "error", leak.image_ids, leak.case_ids, message, "merge")


def attributes_that_predict(associations: Iterable[Association]) -> Iterator[Finding]:
    """Find what is no tissue and predicts the label clearly better than chance."""
    for found in filter(is_clear, associations):
        yield Finding(
            kind="attribute_predicts_label",
            severity="warning",
            image_ids=(),
            case_ids=(),
            message=f"{_listed(found.attributes)}: alone it predicts the label of held-out cases, balanced accuracy "
            f"{found.balanced_accuracy:.2f} (guessing 0.50, chance below {found.by_chance:.2f})",
            policy="keep_all",
        )


PIXEL_CHECKS: tuple[Check, ...] = (identical_pixels, near_duplicates)
"""Need the digests of pixels."""

NAME_CHECKS: tuple[Check, ...] = (cases_with_both_labels,)
"""Need what a name or a row says, and no pixels."""


def _copies(copies: pd.DataFrame, *, near: bool = False) -> Finding:
    kinds = _NEAR_KINDS if near else _KINDS
    ids, cases = tuple(copies["image_id"]), tuple(sorted(set(copies["case_id"])))
    same = f"{_listed(ids)} " + ("show the same picture" if near else "have the same pixels")
    linked = f"; they link the cases {_listed(cases)}, of which one keeps the image" if len(cases) > 1 else ""
    if copies["label"].nunique() > 1:
        contradiction = f"{same} but different labels ({_counted(copies['label'])}): none is kept"
        return Finding(kinds[2], "error", ids, cases, contradiction, "drop_all")
    subtypes = copies["subtype"][copies["subtype"] != ""]
    if subtypes.nunique() > 1:
        contradiction = f"{same} but different subtypes ({_counted(subtypes)}): one is kept, without subtype{linked}"
        return Finding(kinds[1], "error", ids, cases, contradiction, "keep_first_without_subtype")
    severity: Severity = "warning" if linked else "note"
    return Finding(kinds[0], severity, ids, cases, f"{same}: one is kept{linked}", "keep_first")


def _counted(values: pd.Series[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in values.value_counts().sort_index().items())


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _IDS_SHOWN
    return ", ".join(names[:_IDS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _naturally(value: str) -> tuple[int, str]:
    digits = value.partition("x")[0]
    return (int(digits) if digits.isdecimal() else 0, value)
