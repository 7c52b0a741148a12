"""Writes a synthetic data set with the names and folders of BreakHis."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lobule.data.phantom.architecture import grow
from lobule.data.phantom.render import choose_window, photograph
from lobule.data.phantom.stain import Stain
from lobule.errors import ConfigError, DataError
from lobule.progress import Progress, silent
from lobule.provenance import usable_cores, write_atomically
from lobule.taxonomy import LABEL_OF_SUBTYPE, MAGNIFICATIONS, SUBTYPE_OF_CODE

__all__ = ["PhantomSummary", "is_phantom", "write_phantom"]

_VERSION = 1
_DESCRIPTION = "synthetic tissue drawn by Lobule, not a patient"
_IMAGES, _MASKS, _MARKER = "BreaKHis_v1", "masks", "phantom.json"
_FIRST_SLIDE = 90001
# Ductal cases are the most frequent, as in BreakHis; after sixteen cases each subtype has two.
_ORDER = ("F", "DC", "A", "MC", "TA", "LC", "PT", "PC") * 2 + ("DC", "F", "DC", "TA", "LC", "DC", "MC", "PC", "A", "PT")
_LARGEST_SIDE = 2000
_README = f"""{_DESCRIPTION.capitalize()}.

Every image here was drawn by a program from random numbers. No patient, tissue or photograph stands behind any of
them, and nothing measured on them says anything about medicine. They exist to try Lobule out.

{_IMAGES}/   images, named and filed like those of BreakHis; slide numbers from {_FIRST_SLIDE} up exist only here
{_MASKS}/         for each malignant image: array `malignant` (height, width), true where the tissue is malignant
{_MARKER}   what they were drawn with
"""


@dataclass(frozen=True)
class PhantomSummary:
    """What was written.

    Attributes:
        folder: everything.
        images: folder of the images.
        masks: folder of the masks, one `.npz` for each malignant image at the image's relative path.
        n_images: images.
        n_cases: cases.
        n_masks: masks.
    """

    folder: Path
    images: Path
    masks: Path
    n_images: int
    n_cases: int
    n_masks: int


@dataclass(frozen=True)
class _Case:
    number: int
    code: str
    seed: int

    @property
    def subtype(self) -> str:
        return SUBTYPE_OF_CODE[self.code]

    @property
    def malignant(self) -> bool:
        return LABEL_OF_SUBTYPE[self.subtype] == "malignant"

    def relative_path(self, magnification: int, sequence: int) -> Path:
        """Return where an image lies; the first case is filed in two sibling folders, as some of BreakHis are."""
        siblings = ("AB", "CD")[(sequence - 1) % 2] if self.number == 0 else ""
        kind, slide = "BM"[self.malignant], f"{_FIRST_SLIDE + self.number}{siblings}"
        folder = Path("histology_slides", "breast", LABEL_OF_SUBTYPE[self.subtype], "SOB", self.subtype)
        folder = folder / f"SOB_{kind}_{self.code}_14-{slide}" / f"{magnification}X"
        return folder / f"SOB_{kind}_{self.code}-14-{slide}-{magnification}-{sequence:03}.png"


def is_phantom(data: Path) -> bool:
    """Return whether a folder, or the folder of a file, was drawn by `write_phantom`."""
    return any((folder / _MARKER).is_file() for folder in (data, data.parent))


def write_phantom(
    folder: Path,
    *,
    cases: int = 24,
    images_per_case: int = 8,
    size: tuple[int, int] = (460, 700),
    seed: int = 0,
    progress: Progress | None = None,
) -> PhantomSummary:
    """Draw a synthetic data set: eight subtypes, four magnifications, a stain of its own for each case.

    The same arguments give the same files. On a folder that already holds the same phantom only missing files are
    drawn. From 16 cases on, every subtype has at least two.

    Args:
        folder: where; made if needed.
        cases: number of cases, 2 to 9,000.
        images_per_case: spread over the magnifications, 1 to 999.
        size: height and width of the images in pixels, 64 to 2,000, not higher than wide.
        seed: another seed draws other tissue.
        progress: told of each finished image.

    Raises:
        ConfigError: an argument is not allowed.
        DataError: the folder holds other images.
    """
    _check(cases, images_per_case, size)
    _claim(folder, {"cases": cases, "images_per_case": images_per_case, "size": list(size), "seed": seed})
    plan = [_Case(number, _ORDER[number % len(_ORDER)], seed) for number in range(cases)]
    report, done = progress or silent, 0
    with ThreadPoolExecutor(max_workers=usable_cores()) as pool:
        jobs = [pool.submit(_write_case, folder, case, images_per_case, size) for case in plan]
        try:
            for job in jobs:
                job.result()
                done += images_per_case
                report("phantom", done, cases * images_per_case)
        except BaseException:  # Ctrl-C above all: what has not begun is not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return PhantomSummary(
        folder=folder,
        images=folder / _IMAGES,
        masks=folder / _MASKS,
        n_images=cases * images_per_case,
        n_cases=cases,
        n_masks=images_per_case * sum(case.malignant for case in plan),
    )


def _check(cases: int, images_per_case: int, size: tuple[int, int]) -> None:
    if not 2 <= cases <= 9000:
        raise ConfigError(f"cases: allowed are 2 to 9,000, received {cases}; a benign and a malignant case are needed.")
    if not 1 <= images_per_case <= 999:
        raise ConfigError(f"images_per_case: allowed are 1 to 999, received {images_per_case}.")
    if not 64 <= size[0] <= size[1] <= _LARGEST_SIDE:
        raise ConfigError(
            f"size: allowed are a height and a width of 64 to {_LARGEST_SIDE}, not higher than wide, received {size}."
        )


def _claim(folder: Path, arguments: dict[str, Any]) -> None:
    """Mark a folder as this phantom, or find it marked so; refuse any other that holds images."""
    marker = folder / _MARKER
    wanted = json.dumps({"description": _DESCRIPTION, "version": _VERSION, **arguments}, indent=1) + "\n"
    found = marker.read_text(encoding="utf-8") if marker.is_file() else None
    if found not in (None, wanted) or (found is None and (folder / _IMAGES).exists()):
        raise DataError(f"phantom: {folder} already holds other images; name an empty folder, or delete this one.")
    write_atomically(marker, wanted)
    write_atomically(folder / "README.txt", _README)


def _write_case(folder: Path, case: _Case, count: int, size: tuple[int, int]) -> None:
    planned = [(index, *_place(case, index)) for index in range(count)]
    missing = [plan for plan in planned if not _is_done(folder, case, plan[2])]
    if not missing:
        return
    rng = np.random.default_rng((case.seed, case.number))
    tissue, stain = grow(case.subtype, rng), Stain.drawn(rng)
    for index, magnification, path in missing:
        rng = np.random.default_rng((case.seed, case.number, index + 1))
        window = choose_window(tissue, magnification, size, rng, malignant=case.malignant)
        image, malignant = photograph(tissue, stain, window, rng)
        if case.malignant:
            write_atomically(folder / _MASKS / path.with_suffix(".npz"), _npz(malignant))
        write_atomically(folder / _IMAGES / path, _png(image))


def _place(case: _Case, index: int) -> tuple[int, Path]:
    magnification = MAGNIFICATIONS[index % len(MAGNIFICATIONS)]
    return magnification, case.relative_path(magnification, index // len(MAGNIFICATIONS) + 1)


def _is_done(folder: Path, case: _Case, path: Path) -> bool:
    mask = folder / _MASKS / path.with_suffix(".npz")
    return (folder / _IMAGES / path).is_file() and (not case.malignant or mask.is_file())


def _png(image: NDArray[np.uint8]) -> bytes:
    information = PngInfo()
    information.add_text("Description", _DESCRIPTION)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", pnginfo=information, compress_level=1, compress_type=3)
    return stream.getvalue()


def _npz(malignant: NDArray[np.bool_]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, malignant=malignant)
    return stream.getvalue()
