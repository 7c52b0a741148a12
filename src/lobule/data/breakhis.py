"""The BreakHis file-name grammar: everything about an image but its pixels stands in its name."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import PurePosixPath

from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS, MPP_OF_MAGNIFICATION, SUBTYPE_OF_CODE

__all__ = ["IMAGE_EXTENSIONS", "BreakHisName", "is_image_name", "mpp_of", "parse_name"]

IMAGE_EXTENSIONS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What makes a file an image by name, in lower case; other files are ignored."""

_NAME = re.compile(
    r"(?P<stem>SOB_(?P<letter>[BM])_(?P<code>A|F|PT|TA|DC|LC|MC|PC)"
    r"-(?P<year>\d\d)-(?P<slide>[0-9A-Z]+)-(?P<magnification>40|100|200|400)-(?P<sequence>\d{3}))(?P<extension>\.\w+)",
    re.ASCII,
)
_LETTERS_OF_SLIDE = re.compile(r"(?<=\d)[A-Z]+$")
_LABEL_OF_LETTER = {"B": LABELS[0], "M": LABELS[1]}
_ORIGINAL_WIDTH = 700
_ORIGINAL_HEIGHTS = range(456, 461)


@dataclass(frozen=True, slots=True)
class BreakHisName:
    """What a BreakHis file name says.

    Attributes:
        image_id: the name without its extension.
        label: benign or malignant.
        subtype: one of the eight subtypes.
        patient_id: year and slide, e.g. `14-22549AB`.
        case_id: the same without its trailing letters, e.g. `14-22549`.
        magnification: 40, 100, 200 or 400 (total).
        sequence: number of the image, 0 to 999; not contiguous.
    """

    image_id: str
    label: str
    subtype: str
    patient_id: str
    case_id: str
    magnification: int
    sequence: int


def is_image_name(name: str) -> bool:
    """Tell whether a file name has an image extension, in any case."""
    return PurePosixPath(name).suffix.lower() in IMAGE_EXTENSIONS


def parse_name(name: str) -> BreakHisName | None:
    """Parse a file name such as `SOB_B_A-14-22549AB-40-001.png`, with any image extension.

    Args:
        name: the file name alone, without folders.

    Returns:
        What the name says, or None when it does not follow the grammar (its tumour code and
        its B or M must agree too).

    >>> parse_name("SOB_B_A-14-22549AB-40-001.webp").case_id
    '14-22549'
    """
    match = _NAME.fullmatch(name)
    if match is None or match["extension"].lower() not in IMAGE_EXTENSIONS:
        return None
    label, subtype = _LABEL_OF_LETTER[match["letter"]], SUBTYPE_OF_CODE[match["code"]]
    if LABEL_OF_SUBTYPE[subtype] != label:
        return None
    patient_id = sys.intern(f"{match['year']}-{match['slide']}")  # one string for all images of a patient
    return BreakHisName(
        image_id=match["stem"],
        label=label,
        subtype=subtype,
        patient_id=patient_id,
        case_id=sys.intern(_LETTERS_OF_SLIDE.sub("", patient_id)),
        magnification=int(match["magnification"]),
        sequence=int(match["sequence"]),
    )


def mpp_of(name: BreakHisName, *, width: int, height: int) -> float | None:
    """Return the microns per pixel of an original BreakHis image; None for a resized copy."""
    if width == _ORIGINAL_WIDTH and height in _ORIGINAL_HEIGHTS:
        return MPP_OF_MAGNIFICATION[name.magnification]
    return None
