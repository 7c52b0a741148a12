"""From the paths of a command line to the images that are meant, in one order, each with a name of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lobule.data.failures import Failure
from lobule.data.identity import unique_ids
from lobule.data.walk import files_under, is_image_file, is_text
from lobule.errors import DataError

__all__ = ["InputImage", "Inputs", "expand"]


@dataclass(frozen=True)
class InputImage:
    """An image to predict.

    Attributes:
        image_id: unique among the inputs.
        path: as the caller named it, with forward slashes.
    """

    image_id: str
    path: str

    @property
    def file(self) -> Path:
        """Where it is."""
        return Path(self.path)


@dataclass(frozen=True)
class Inputs:
    """The images that are meant, by path, and the inputs that cannot be used."""

    images: tuple[InputImage, ...]
    failures: tuple[Failure, ...]


def expand(paths: Sequence[Path]) -> Inputs:
    """List files as they are named, and every image under a folder.

    In folders, files without an image extension and what is hidden are left out; links to folders are followed, each
    folder once. A file that is meant twice is listed once.

    Args:
        paths: files and folders.

    Raises:
        DataError: not one image is meant.
    """
    failures: list[Failure] = []
    found: dict[str, tuple[str, str]] = {}
    for given in paths:
        for path, name in _meant(Path(given), failures):
            if not is_text(path):
                failures.append(Failure(path.encode(errors="backslashreplace").decode(), "not valid UTF-8: rename it"))
            else:
                found.setdefault(os.path.abspath(path), (path, name))  # noqa: PTH100 - Path.absolute keeps `..`
    if not found:
        raise DataError(_nothing(paths, failures))
    listed = sorted(found.values())
    names = [name for _, name in listed]
    ids = unique_ids(names if len(set(names)) == len(names) else [path for path, _ in listed])
    images = tuple(InputImage(image_id, path) for image_id, (path, _) in zip(ids, listed, strict=True))
    return Inputs(images, tuple(failures))


def _meant(given: Path, failures: list[Failure]) -> Iterator[tuple[str, str]]:
    """Yield (path, path within the folder that was named) of every image that one argument means."""
    if not given.is_dir():
        if given.exists():
            yield given.as_posix(), given.name
        else:
            failures.append(Failure(given.as_posix(), "not found"))
        return
    count = len(failures)
    within = [name for name in files_under(given, failures) if is_image_file(name)]
    if not within and len(failures) == count:
        failures.append(Failure(given.as_posix(), "a folder without an image"))
    for name in within:
        yield (given / name).as_posix(), name


def _nothing(paths: Sequence[Path], failures: Sequence[Failure]) -> str:
    if not paths:
        return "PATH: name at least one image or folder of images."
    reasons = "; ".join(f"{failure.path}: {failure.reason}" for failure in failures[:3])
    return f"PATH: not one image was found under {len(paths)} paths ({reasons}). Name images or folders of images."
