"""From a source to a folder of images that is whole, or to a sentence that says why not."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lobule.data.get.archives import HEAD, archive_kind, unpack
from lobule.data.get.breakhis_archive import CITATION, tally
from lobule.data.get.source import Source, SourceKind, parse_source
from lobule.data.get.web import Patience, download
from lobule.data.get.workplace import Record, Workplace, files_in, n_images_of
from lobule.errors import DataError, StorageError
from lobule.progress import Progress, silent
from lobule.provenance import digest_of_file, now

__all__ = ["Obtained", "get_data"]

_FOLDERS = frozenset({SourceKind.DRIVE_FOLDER, SourceKind.KAGGLE, SourceKind.HUGGING_FACE, SourceKind.BUCKET})
_ARCHIVES = frozenset({".zip", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz"})
_WEB_NAME = "archive"

_SHOWN = 5


@dataclass(frozen=True)
class Obtained:
    """A data set that is here.

    Attributes:
        folder: where it is.
        source: where it came from, without passwords and tokens.
        n_files: files.
        n_images: those of them with the extension of an image.
        was_done: whether it was here before, so that nothing was done now.
        notes: what a person must know of it: citation, licence, what differs from BreakHis as published.
    """

    folder: Path
    source: str
    n_files: int
    n_images: int
    was_done: bool
    notes: tuple[str, ...]


def get_data(
    source: str,
    to: Path | str,
    *,
    expect: int | None = None,
    patience: Patience | None = None,
    progress: Progress = silent,
) -> Obtained:
    """Fetch a data set into a folder; a second call goes on where the first stopped, or says that it is done.

    Everything is put together in a hidden folder beside `to` and becomes `to` in one step, so `to` is whole or not
    there.

    Args:
        source: breakhis, an address, a Drive link, the path of an archive, kaggle:owner/dataset, hf:owner/dataset or a
            place of object storage.
        to: folder for the data: empty, or not there yet.
        expect: how many files it is known to hold; another number is an error.
        patience: how long a download is tried; None: the usual.
        progress: told how far it is.

    Raises:
        ConfigError: the source is not understood, or `to` holds something else.
        DataError: it cannot be had, is damaged, is not what it should be, or the disk is too small.
        MissingExtraError: what the source needs is not installed.
    """
    wanted = parse_source(source)
    place = Workplace(Path(to), wanted)
    record = place.finished()
    if record is not None:
        return _obtained(place, record, was_done=True)
    with place.held():
        digest = _fetch(wanted, place, expect, patience, progress)
        files = files_in(place.content)
        _check(place, wanted, files, expect)
        record = Record(wanted.public, wanted.digest, now(), digest, len(files), n_images_of(files))
        is_breakhis = tally(path.name for path in files).n_images > 0
        place.publish(record, {"CITATION.txt": CITATION} if is_breakhis else {})
    return _obtained(place, record, was_done=False)


def _fetch(source: Source, place: Workplace, expect: int | None, patience: Patience | None, progress: Progress) -> str:
    """Fill the content folder; return the digest of the archive, "" without one."""
    if source.kind in _FOLDERS:
        _fetch_folder(source, place, expect, progress)
        _unpack_inside(place.content, progress)
        return ""
    if source.kind is SourceKind.FILE:
        archive = Path(source.address)
    elif source.kind is SourceKind.DRIVE_FILE:
        from lobule.data.get.drive import get_drive_file

        archive = get_drive_file(source, place.downloads, progress=progress)
    else:
        archive = place.downloads / _WEB_NAME
        if not archive.exists():
            download(source.address, archive, patience=patience, progress=progress)
    try:
        unpack(archive, place.content, progress=progress)
    except DataError as error:
        shutil.rmtree(place.content, ignore_errors=True)
        _drop_if_bad(archive, place, error)
        raise
    return digest_of_file(archive)


def _drop_if_bad(archive: Path, place: Workplace, error: DataError) -> None:
    """Remove a downloaded archive that cannot be unpacked, so that the next attempt fetches it anew.

    One for which only the room was missing stays.
    """
    if archive.parent == place.downloads and not isinstance(error, StorageError):
        archive.unlink()


def _fetch_folder(source: Source, place: Workplace, expect: int | None, progress: Progress) -> None:
    if source.kind is SourceKind.DRIVE_FOLDER:
        from lobule.data.get.drive import get_drive_folder

        get_drive_folder(source, place.downloads, place.content, expect=expect, progress=progress)
    elif source.kind is SourceKind.KAGGLE:
        from lobule.data.get.hubs import get_from_kaggle

        get_from_kaggle(source, place.content)
    elif source.kind is SourceKind.BUCKET:
        from lobule.data.get.bucket import get_from_bucket

        get_from_bucket(source, place.downloads, place.content, progress=progress)
    else:
        from lobule.data.get.hubs import get_from_hugging_face

        get_from_hugging_face(source, place.downloads, place.content)


def _unpack_inside(content: Path, progress: Progress) -> None:
    """Unpack archives that lie in a folder, each into a folder of its own name, and remove them."""
    for path in files_in(content):
        with path.open("rb") as stream:
            if path.suffix.lower() not in _ARCHIVES or archive_kind(stream.read(HEAD)) is None:
                continue
        stem = path.with_name(path.name.partition(".")[0] or "archive")
        folder = path.with_name(f"{path.name}.unpacked") if stem.exists() else stem
        unpack(path, folder, progress=progress)
        path.unlink()


def _check(place: Workplace, source: Source, files: list[Path], expect: int | None) -> None:
    """Check numbers of files.

    Raises:
        DataError: they are not what they should be.
    """
    if not files:
        raise DataError(f"SOURCE {source.given}: holds no file.")
    if expect is not None and source.kind is not SourceKind.DRIVE_FOLDER and len(files) != expect:
        raise DataError(f"--expect {expect}: {source.given} holds {len(files)} files; nothing was kept.")
    if source.kind is SourceKind.BREAKHIS and (differences := tally(path.name for path in files).differences):
        raise DataError(
            f"SOURCE breakhis: the archive differs from the published table: {_some(differences)}. "
            f"To take it as it is: lobule data get {place.downloads / _WEB_NAME} --to DIR."
        )


def _obtained(place: Workplace, record: Record, *, was_done: bool) -> Obtained:
    found = tally(path.name for path in files_in(place.to))
    notes = []
    if found.n_images:
        whole = "all of BreakHis, by the published table" if not found.differences else _some(found.differences)
        notes = [f"{found.n_images} different BreakHis images: {whole}", CITATION]
    return Obtained(place.to, record.source, record.n_files, record.n_images, was_done, tuple(notes))


def _some(differences: tuple[str, ...]) -> str:
    more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
    return "; ".join(differences[:_SHOWN]) + more
