"""Open every image once, in threads, for the digest of its pixels and a thumbnail; no image outlives its own turn."""

from __future__ import annotations

import stat
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from lobule.data.images import inspect, pixel_sha256
from lobule.data.pixel_cache import PixelCache, Pixels, Stamp
from lobule.data.thumbnails import thumbnail
from lobule.errors import ImageError
from lobule.progress import Progress
from lobule.provenance import usable_cores

__all__ = ["measure"]

_MAX_THREADS = 8
_IMAGES_PER_SAVE = 512
# Each save writes the whole cache: of a large data set, less often.
_SHARE_PER_SAVE = 4


def measure(
    root: Path, paths: Sequence[str], *, cache: PixelCache | None, progress: Progress, stage: str = "scan"
) -> list[Pixels | str]:
    """Decode every image, digest its pixels, and keep a thumbnail and the traits of the file.

    Args:
        root: the data root.
        paths: the images, relative to the root.
        cache: what is known from earlier; what is new is added to it and saved as the work goes on. None: no cache.
        progress: called as `progress(stage, done, total)`.
        stage: what the work is called.

    Returns:
        In the order of `paths`, the pixels, or the reason why there are none.
    """
    outcomes: list[Pixels | str] = []
    with _bombs_are_errors(), ThreadPoolExecutor(_threads()) as pool:
        while len(outcomes) < len(paths):
            done = len(outcomes)
            chunk = paths[done : done + max(_IMAGES_PER_SAVE, done // _SHARE_PER_SAVE)]
            for outcome in pool.map(lambda path: _outcome(root, path, cache), chunk):
                outcomes.append(outcome)
                progress(stage, len(outcomes), len(paths))
            if cache:
                cache.save()
    return outcomes


def _outcome(root: Path, path: str, cache: PixelCache | None) -> Pixels | str:
    try:
        status = (root / path).stat()
        if not stat.S_ISREG(status.st_mode):
            return "not a regular file"
        stamp = Stamp(status.st_size, status.st_mtime_ns)
        if cache and (known := cache.find(path, stamp)):
            return known
        image, traits = inspect(root / path)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except (ImageError, ValueError) as error:  # ValueError: a path with a NUL
        return str(error)
    height, width, _ = image.shape
    pixels = Pixels(pixel_sha256(image), width, height, thumbnail(image).tobytes(), traits)
    if cache:
        cache.add(path, stamp, pixels)
    return pixels


@contextmanager
def _bombs_are_errors() -> Iterator[None]:
    """Keep Pillow's warning off the screen: `decode` refuses the file anyway, and says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _threads() -> int:
    return min(usable_cores(), _MAX_THREADS)
