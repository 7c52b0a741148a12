"""Images below an address of object storage, as many at a time as a network likes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from lobule.data.remote import RemoteFile, images_at, read_remote
from lobule.errors import DataError, ImageError
from lobule.storage import write_durably, writing

if TYPE_CHECKING:
    from lobule.data.get.source import Source
    from lobule.progress import Progress

__all__ = ["get_from_bucket"]

_AT_ONCE: Final = 8


def get_from_bucket(source: Source, download: Path, content: Path, *, progress: Progress) -> None:
    """Fetch all images below an address; what is there in its whole size is not fetched again.

    Args:
        source: an address that fsspec knows.
        download: folder that a second attempt finds again.
        content: folder to make.
        progress: told after each image.

    Raises:
        ConfigError: nobody knows the protocol, or its driver is not installed.
        DataError: the place cannot be listed, or an image cannot be had.
        MissingExtraError: fsspec is not installed.
        StorageError: there is no room.
    """
    found = images_at(source.address)
    if not found:
        raise DataError(f"SOURCE {source.public}: there is no image below it; check the address.")
    places = [_place_of(file, download, source) for file in found]
    download.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lobule-get") as pool:
        jobs = [pool.submit(_fetch, file, place) for file, place in zip(found, places, strict=True)]
        try:
            for done, job in enumerate(jobs, start=1):
                if reason := job.result():
                    failed.append(reason)
                progress("download", done, len(jobs))
        finally:
            pool.shutdown(cancel_futures=True)
    if failed:
        raise DataError(
            f"SOURCE {source.public}: {len(failed)} of {len(found)} images could not be had, e.g. {failed[0]}. The "
            "same command goes on from what is here."
        )
    download.rename(content)


def _fetch(file: RemoteFile, place: Path) -> str:
    """Fetch an image unless it is there; return why it could not be had, "" where it could."""
    if place.is_file() and place.stat().st_size == file.size:
        return ""
    try:
        content = read_remote(file.address)
    except ImageError as error:
        return f"{file.name}: {error}"
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_durably(place, content)
    return ""


def _place_of(file: RemoteFile, folder: Path, source: Source) -> Path:
    """Return where an image goes.

    Raises:
        DataError: its name leads out of the folder.
    """
    parts = PurePosixPath(file.name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in file.name or ":" in parts[0]:
        raise DataError(
            f"SOURCE {source.public}: {file.name!r} would be written outside the folder; nothing was fetched."
        )
    return folder.joinpath(*parts)
