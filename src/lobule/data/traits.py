"""What a file says beside its pixels, as hashed values: a classifier could cheat from it, a person must not be named.

Only the names of the entries and short hashes of their values leave this module. They are compared with the labels by
`associations` and reach no digest of pixels and no model.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from PIL import ExifTags, Image

__all__ = ["traits_of"]

_DAY = re.compile(r"(\d{4})[-:/](\d\d)[-:/](\d\d)(?=\D|$)")
_NAME_LENGTH = 60
_HASH_LENGTH = 8
# The block of EXIF as bytes: its entries are named one by one.
_BLOCKS = frozenset({"exif", "Raw profile type exif"})


def traits_of(image: Image.Image) -> dict[str, str]:
    """Describe an image file by everything but its pixels.

    Args:
        image: a loaded image; entries that stand behind the pixels are known only then.

    Returns:
        The pixel mode and the names of the entries as they are, and a short hash of each entry's value. Of a date only
        the day counts: images of one session share it.
    """
    entries = {f"entry {name}": value for name, value in image.info.items() if name not in _BLOCKS}
    entries |= {f"EXIF {ExifTags.TAGS.get(tag, tag)}": value for tag, value in image.getexif().items()}
    if tables := getattr(image, "quantization", None):
        entries["JPEG quality"] = tables
    hashed = {name[:_NAME_LENGTH]: _hashed(value) for name, value in sorted(entries.items())}
    return {"pixel mode": image.mode, "entries": ", ".join(hashed), **hashed}


def _hashed(value: Any) -> str:
    text = value if isinstance(value, bytes) else _day_of(str(value)).encode(errors="surrogateescape")
    return hashlib.sha256(text).hexdigest()[:_HASH_LENGTH]


def _day_of(text: str) -> str:
    date = _DAY.match(text.strip())
    return "-".join(date.groups()) if date else text
