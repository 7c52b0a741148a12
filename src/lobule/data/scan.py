"""From a folder, a CSV or a list of names to a manifest: every usable image, and the reason for every other."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lobule.config import DataSettings
from lobule.data.breakhis import mpp_of
from lobule.data.csv_source import list_csv
from lobule.data.identity import identified
from lobule.data.layouts import Classes, Description, Listing
from lobule.data.manifest import Failure, Manifest
from lobule.data.measure import measure
from lobule.data.pixel_cache import PixelCache, Pixels
from lobule.data.remote import address_of
from lobule.data.sources import list_folder, list_names
from lobule.errors import DataError
from lobule.progress import Progress, silent

__all__ = ["ScanResult", "scan"]

_DEFAULTS = DataSettings()
_KINDS = "a folder of images, a CSV (a manifest or your own), or a .txt of BreakHis file names"


@dataclass(frozen=True)
class ScanResult:
    """What a scan found.

    Attributes:
        manifest: the usable images.
        failures: the images that cannot be used, each with its reason, by path.
        ignored: number of files that are no images by name, or are hidden.
    """

    manifest: Manifest
    failures: tuple[Failure, ...]
    ignored: int


def scan(
    source: Path | str,
    *,
    settings: DataSettings = _DEFAULTS,
    cache: bool = True,
    progress: Progress | None = None,
) -> ScanResult:
    """Describe a data set.

    The class of an image comes from its CSV row, else from its BreakHis name, else from the folders above it.

    Args:
        source: a folder, a CSV (a manifest, or a user's own by `settings.columns`), or a text file of BreakHis names.
            Of names nothing but the names is known: pixel_sha256 is "", width and height are 0.
        settings: how classes, columns and cases are read, and which unit must be known.
        cache: remember pixel digests in the user's cache folder, so that unchanged files are not opened again.
        progress: called as `progress("scan", done, total)`.

    Raises:
        ConfigError: a setting does not fit the source.
        DataError: the source cannot be read, holds no usable image, or the unit of the split is not known.
    """
    source = Path(source)
    listing = _listing(source, settings)
    described = identified(listing.descriptions, settings=settings)
    listing = replace(listing, descriptions=())  # of a million, half a gigabyte
    outcomes = _outcomes(listing, described, cache=cache, progress=progress or silent)
    rows = (_row(item, pixels) for item, pixels in zip(described, outcomes, strict=True) if isinstance(pixels, Pixels))
    unused = [Failure(item.path, why) for item, why in zip(described, outcomes, strict=True) if isinstance(why, str)]
    failures = tuple(sorted((*listing.failures, *unused), key=lambda failure: failure.path))
    if len(unused) == len(described):
        raise DataError(_nothing_usable(source, failures, listing.ignored))
    return ScanResult(Manifest.from_rows(rows, root=listing.root), failures, listing.ignored)


def _listing(source: Path, settings: DataSettings) -> Listing:
    if address := address_of(source):
        raise DataError(
            f"{address}: every image is read more than once here, so images in object storage are fetched first: "
            f"lobule data get {address} --to FOLDER"
        )
    classes = Classes(settings.labels)
    try:
        is_folder = stat.S_ISDIR(source.stat().st_mode)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{source}: {reason}; name {_KINDS}.") from None
    if is_folder:
        return list_folder(source, classes=classes)
    suffix = source.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return list_csv(
            source, columns=settings.columns, classes=classes, root=Path(settings.root) if settings.root else None
        )
    if suffix == ".txt":
        return list_names(source)
    raise DataError(f"{source}: a file of this kind is no data set; name {_KINDS}.")


def _outcomes(
    listing: Listing, described: Sequence[Description], *, cache: bool, progress: Progress
) -> list[Pixels | str]:
    if not listing.has_pixels:
        return [Pixels("", 0, 0)] * len(described)
    pixel_cache = PixelCache(listing.root) if cache else None
    measured = measure(listing.root, [item.path for item in described], cache=pixel_cache, progress=progress)
    return [_confirmed(item, outcome) for item, outcome in zip(described, measured, strict=True)]


def _confirmed(item: Description, outcome: Pixels | str) -> Pixels | str:
    if isinstance(outcome, Pixels) and item.pixel_sha256 not in ("", outcome.sha256):
        return "its pixels are not those that the manifest was made of (or the decoder is another): scan the data again"
    return outcome


def _row(item: Description, pixels: Pixels) -> dict[str, Any]:
    mpp = mpp_of(item.breakhis, width=pixels.width, height=pixels.height) if item.breakhis else None
    return {
        "image_id": item.image_id,
        "path": item.path,
        "pixel_sha256": pixels.sha256,
        "width": pixels.width,
        "height": pixels.height,
        "label": item.label,
        "subtype": item.subtype,
        "patient_id": item.patient_id,
        "case_id": item.case_id,
        "magnification": item.magnification,
        "mpp": item.mpp or mpp,
    }


def _nothing_usable(source: Path, failures: Sequence[Failure], ignored: int) -> str:
    if not failures:
        return f"{source}: no image found ({ignored} other files); name {_KINDS}."
    reasons = Counter(failure.reason for failure in failures).most_common(3)
    seen = "; ".join(f"{count} x {reason}" for reason, count in reasons)
    return f"{source}: none of {len(failures)} images can be used, the first is {failures[0].path}. {seen}."
