"""Images at the input size of a backbone: in memory when they fit, else decoded again for every batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lobule.data.images import decode
from lobule.errors import DataError, ImageError
from lobule.features.views import apply_view
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["ImageSource", "open_images"]

MEMORY_LIMIT: Final = 4 << 30
"""Bytes of squashed images that are kept in memory: about 28,000 images of 224 x 224."""
_CHUNK: Final = 64
_CROP: Final = "crop_"


@dataclass(frozen=True, eq=False)
class ImageSource:
    """n images and their views.

    Attributes:
        paths: the files, n of them.
        size: S, side of the squashed images in pixels.
        pixels: (n, S, S, 3) RGB, 0..255; None where they do not fit into memory.
    """

    paths: tuple[Path, ...]
    size: int
    pixels: NDArray[np.uint8] | None

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: NDArray[np.int64], view: str = "identity") -> NDArray[np.uint8]:
        """Return one view of some images.

        Args:
            rows: (b,) which images.
            view: one of `lobule.features.views.VIEWS`; a crop is cut from the file, not from the squashed image.

        Returns:
            (b, S, S, 3) RGB, 0..255.

        Raises:
            DataError: an image can no longer be decoded.
        """
        if self.pixels is None or view.startswith(_CROP):
            return _squashed([self.paths[row] for row in rows], view, self.size)
        if view == "identity":
            return np.asarray(self.pixels[rows])
        return np.stack([apply_view(self.pixels[row], view, size=self.size) for row in rows])


def open_images(
    paths: Sequence[Path], *, size: int, memory_limit: int = MEMORY_LIMIT, progress: Progress = silent
) -> ImageSource:
    """Decode and squash images once, or only when asked for where they would take too much memory.

    Args:
        paths: the files.
        size: side of the squashed images in pixels.
        memory_limit: bytes that the squashed images may take.
        progress: told the number of decoded images.

    Raises:
        DataError: an image cannot be decoded.
    """
    if len(paths) * size * size * 3 > memory_limit:
        return ImageSource(tuple(paths), size, None)
    pixels = np.empty((len(paths), size, size, 3), dtype=np.uint8)
    for start in range(0, len(paths), _CHUNK):
        chunk = paths[start : start + _CHUNK]
        pixels[start : start + len(chunk)] = _squashed(chunk, "identity", size)
        progress("decode images", start + len(chunk), len(paths))
    return ImageSource(tuple(paths), size, pixels)


def _squashed(paths: Sequence[Path], view: str, size: int) -> NDArray[np.uint8]:
    def one(path: Path) -> NDArray[np.uint8]:
        try:
            return apply_view(decode(path), view, size=size)
        except (ImageError, OSError) as error:
            raise DataError(f"{path}: {error}; it could be read when the data was scanned: scan it again.") from None

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(one, paths)))
