"""What an audit needs beyond the manifest: thumbnails and traits of the files, mostly remembered from the scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lobule.data.manifest import Manifest
from lobule.data.measure import measure
from lobule.data.near_duplicates import near_duplicates
from lobule.data.pixel_cache import PixelCache, Pixels
from lobule.data.thumbnails import SIDE
from lobule.progress import Progress

__all__ = ["Evidence", "gather", "pictures_of"]

_NAMES_ONLY = "identical pixels, near duplicates, metadata: only names are known, no pixels"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was seen of the files of a manifest.

    Attributes:
        seen: for each row of the manifest what decoding its file told; None where it could not be had.
        skipped: what could not be looked at, and why.
    """

    seen: tuple[Pixels | None, ...]
    skipped: tuple[str, ...]


def gather(manifest: Manifest, *, cache: bool, progress: Progress) -> Evidence:
    """Look at the files of a manifest; only those that the scan's cache does not know are opened.

    Args:
        manifest: the images.
        cache: use what the scan remembers, and add to it.
        progress: called as `progress("audit", done, total)`.
    """
    digests = manifest.frame["pixel_sha256"]
    if not (digests != "").any():
        return Evidence((None,) * len(manifest), (_NAMES_ONLY,))
    paths = manifest.frame["path"].tolist()
    store = PixelCache(manifest.root) if cache else None
    outcomes = measure(manifest.root, paths, cache=store, progress=progress, stage="audit")
    usable = [_usable(outcome, digest) for outcome, digest in zip(outcomes, digests, strict=True)]
    seen = tuple(item if isinstance(item, Pixels) else None for item in usable)
    reasons = [f"{path}: {item}" for path, item in zip(paths, usable, strict=True) if isinstance(item, str)]
    return Evidence(seen, _summary(reasons, len(paths)))


def pictures_of(frame: pd.DataFrame, seen: Sequence[Pixels | None]) -> pd.Series[str]:
    """Name the picture that each image shows: identical and nearly identical images have one name.

    Args:
        frame: rows of a manifest.
        seen: what decoding told of each row.

    Returns:
        For each row the image_id of the first row with its picture.
    """
    named = pd.Series(frame["image_id"].to_numpy(), index=frame.index, dtype=object)
    known = (frame["pixel_sha256"] != "").to_numpy()
    named[known] = named[known].groupby(frame.loc[known, "pixel_sha256"]).transform("first")
    is_first = ~named.duplicated().to_numpy() & [item is not None for item in seen]
    unique = np.flatnonzero(is_first).tolist()
    thumbnails = [np.frombuffer(item.thumbnail, dtype=np.uint8) for row in unique if (item := seen[row])]
    groups = near_duplicates(np.reshape(thumbnails, (-1, SIDE, SIDE)).astype(np.uint8)) if thumbnails else []
    name_of = {named.iloc[unique[row]]: named.iloc[unique[group[0]]] for group in groups for row in group}
    return named.map(lambda name: name_of.get(name, name))


def _usable(outcome: Pixels | str, digest: str) -> Pixels | str:
    if isinstance(outcome, Pixels) and outcome.sha256 != digest:
        return "its pixels are not those of the manifest: scan the data again"
    return outcome


def _summary(reasons: Sequence[str], count: int) -> tuple[str, ...]:
    if not reasons:
        return ()
    return (f"near duplicates, metadata: {len(reasons)} of {count} files could not be looked at, first {reasons[0]}",)
