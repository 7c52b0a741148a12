"""From the paths of a command line to the images that are meant, in one order, each with a name of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lobule.data.failures import Failure
from lobule.data.identity import unique_ids
from lobule.data.images import decode
from lobule.data.remote import RemoteFile, address_of, images_at, read_remote
from lobule.data.walk import files_under, is_image_file, is_text
from lobule.errors import DataError
from lobule.inference.journal import Stamp, stamp_of

__all__ = ["InputImage", "Inputs", "expand"]


@dataclass(frozen=True)
class InputImage:
    """An image to predict.

    Attributes:
        image_id: unique among the inputs.
        path: as the caller named it, with forward slashes; or an address (s3://...).
        remote: what is known of the file at an address; None for one of this machine.
    """

    image_id: str
    path: str
    remote: RemoteFile | None = None

    @property
    def file(self) -> Path:
        """Where it is, on this machine."""
        return Path(self.path)

    @property
    def stamp(self) -> Stamp:
        """The file as it is now; of one at an address, as it was when it was listed."""
        if self.remote is None:
            return stamp_of(self.file)
        return Stamp(self.path, self.remote.size, self.remote.version)

    def decode(self) -> NDArray[np.uint8]:
        """Return its pixels, (height, width, 3).

        Raises:
            ImageError: it cannot be used; the message is the reason.
        """
        return decode(self.file if self.remote is None else read_remote(self.path))


@dataclass(frozen=True)
class Inputs:
    """The images that are meant, by path, and the inputs that cannot be used."""

    images: tuple[InputImage, ...]
    failures: tuple[Failure, ...]


def expand(paths: Sequence[Path]) -> Inputs:
    """List files as they are named, and every image under a folder; here, or at an address.

    In folders, files without an image extension and what is hidden are left out; links to folders are followed, each
    folder once. A file that is meant twice is listed once.

    Args:
        paths: files, folders and addresses.

    Raises:
        ConfigError: an address has a protocol that nobody knows, or whose driver is not installed.
        DataError: not one image is meant, or an address cannot be listed.
    """
    failures: list[Failure] = []
    found: dict[str, tuple[str, str, RemoteFile | None]] = {}
    for given in paths:
        if address := address_of(given):
            found |= {file.address: (file.address, file.name, file) for file in _at(address, failures)}
            continue
        for path, name in _meant(Path(given), failures):
            if not is_text(path):
                failures.append(Failure(path.encode(errors="backslashreplace").decode(), "not valid UTF-8: rename it"))
            else:
                found.setdefault(os.path.abspath(path), (path, name, None))  # noqa: PTH100 - Path.absolute keeps `..`
    if not found:
        raise DataError(_nothing(paths, failures))
    listed = sorted(found.values(), key=lambda one: one[:2])
    names = [name for _, name, _ in listed]
    ids = unique_ids(names if len(set(names)) == len(names) else [path for path, _, _ in listed])
    images = tuple(InputImage(image_id, path, remote) for image_id, (path, _, remote) in zip(ids, listed, strict=True))
    return Inputs(images, tuple(failures))


def _at(address: str, failures: list[Failure]) -> list[RemoteFile]:
    files = images_at(address)
    if not files:
        failures.append(Failure(address, "not found, or no image below it"))
    return files


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
