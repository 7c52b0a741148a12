"""The images that are measured on: a stated mix drawn for the purpose, or a user's own."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lobule.bench.setup import Setup
from lobule.config import DataSettings
from lobule.data.images import decode
from lobule.data.manifest import Manifest
from lobule.data.phantom import write_phantom
from lobule.data.scan import scan
from lobule.features.views import apply_view
from lobule.progress import Progress, silent
from lobule.provenance import usable_cores, write_atomically

__all__ = ["Workload", "prepare", "squashed_arrays", "workload_of"]

_CASES = 24
_ORIGINAL, _QUICK = (460, 700), (92, 140)
_SMALL = 224


@dataclass(frozen=True, eq=False)
class Workload:
    """Images to measure on.

    Attributes:
        manifest: what they are.
        description: kinds, sizes and origin, in words.
        largest: the PNG (or other file) with the most pixels.
        largest_kind: its size and format, in words.
    """

    manifest: Manifest
    description: str
    largest: Path
    largest_kind: str


def workload_of(setup: Setup, folder: Path, *, images: int, progress: Progress = silent) -> Workload:
    """Return images: drawn into `folder`, or chosen at equal distances from the user's own.

    What is drawn is half 700x460 PNG as the originals of BreakHis, half the same squashed to 224x224, also PNG.

    Args:
        setup: where the images come from.
        folder: scratch; drawn images lie in it.
        images: how many; of a user's folder at most what there is.
        progress: told about drawing and scanning.

    Raises:
        DataError: the user's folder cannot be used.
    """
    source = setup.data or _draw(setup, folder / "images", images, progress)
    settings = DataSettings(group="case" if setup.data is None else "image")
    whole = scan(source, settings=settings, cache=False, progress=progress).manifest
    chosen = np.linspace(0, len(whole) - 1, min(images, len(whole))).round().astype(int)
    manifest = whole.select(whole.frame["image_id"].iloc[np.unique(chosen)].tolist())
    largest = int((manifest.frame["width"] * manifest.frame["height"]).argmax())
    kinds = _kinds(manifest)
    shares = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(kinds).items()))
    origin = f"from {setup.data.name}" if setup.data else f"drawn by lobule.data.phantom, seed {setup.seed}"
    return Workload(manifest, f"{len(manifest)} images: {shares}; {origin}", manifest.paths[largest], kinds[largest])


def _kinds(manifest: Manifest) -> list[str]:
    """Return size and format of each image, such as `700x460 PNG`."""
    columns = (manifest.frame[name] for name in ("width", "height", "path"))
    return [f"{width}x{height} {Path(path).suffix[1:].upper()}" for width, height, path in zip(*columns, strict=True)]


def _draw(setup: Setup, folder: Path, images: int, progress: Progress) -> Path:
    """Draw at least `images` images and squash every second one of each case."""
    size = _QUICK if setup.quick else _ORIGINAL
    cases = min(_CASES, max(images, 2))
    each = -(-images // cases)
    drawn = write_phantom(
        folder, cases=cases, images_per_case=each, size=size, seed=setup.seed, progress=progress
    ).images
    files = sorted(drawn.rglob("*.png"))
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(_squash_file, files[1::2]))
    return folder


def _squash_file(path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(apply_view(decode(path), "identity", size=_SMALL)).save(stream, "PNG")
    write_atomically(path, stream.getvalue())


def prepare(path: Path, size: int) -> NDArray[np.uint8]:
    """Return what an engine takes, (size, size, 3): the file decoded and squashed."""
    return apply_view(decode(path), "identity", size=size)


def squashed_arrays(paths: Sequence[Path], size: int) -> NDArray[np.uint8]:
    """Return all images in memory, (n, size, size, 3) RGB."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        return np.stack(list(pool.map(lambda path: prepare(path, size), paths)))
