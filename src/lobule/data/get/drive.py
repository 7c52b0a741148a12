"""Files and folders of Google Drive, by gdown, and what Drive says instead of a file."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from lobule.data.get.answers import refuse_page
from lobule.data.get.archives import HEAD
from lobule.data.get.drive_listing import Listed, list_drive_folder, require_all
from lobule.data.get.drive_words import ask_drive, imported_gdown
from lobule.data.get.intake import require_room, safe_parts
from lobule.errors import DataError
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    from lobule.data.get.source import Source

__all__ = ["get_drive_file", "get_drive_folder"]

_RETRIES = 4
_TIMEOUT = (20.0, 60.0)
_WORKERS = 4
_SUMMED = frozenset({".zip", ".7z", ".gz", ".tgz", ".bz2", ".xz"})


def get_drive_file(source: Source, download: Path, *, progress: Progress = silent) -> Path:
    """Download one file; what is there already is gone on with.

    Args:
        source: a file on Drive.
        download: folder to put it in.
        progress: told how many MB are here.

    Returns:
        The file, which begins as an archive does.

    Raises:
        DataError: it is private, over its quota, or no archive.
        MissingExtraError: gdown is not installed.
    """
    download.mkdir(parents=True, exist_ok=True)
    file = download / _name_of(source)
    if not file.exists():
        # gdown does not notice that a file has changed between two commands; only formats that carry sums can show it.
        resume = file.suffix.lower() in _SUMMED
        if not resume:
            shutil.rmtree(download)
            download.mkdir()

        def tell(done: int, total: int | None) -> None:
            if total and done < 2**20:  # the first bytes
                require_room(file, 2 * total, "this download, unpacked,")
            progress("download, MB", done // 10**6, (total or 0) // 10**6)

        ask_drive(
            source,
            imported_gdown().download,
            id=source.address,
            output=str(file),
            quiet=True,
            use_cookies=False,
            resume=resume,
            retries=_RETRIES,
            timeout=_TIMEOUT,
            progress=tell,
        )
    with file.open("rb") as stream:
        head = stream.read(HEAD)
    try:
        refuse_page(head, "", source.given)
    except DataError:
        file.unlink()
        raise
    return file


def _name_of(source: Source) -> str:
    found = ask_drive(
        source,
        imported_gdown().download,
        id=source.address,
        quiet=True,
        use_cookies=False,
        skip_download=True,
        timeout=_TIMEOUT,
    )
    try:
        *_, name = safe_parts(found.path)
    except ValueError as error:
        raise DataError(f"SOURCE {source.given}: the file {found.path!r} {error}; it cannot be fetched.") from None
    return name


def get_drive_folder(
    source: Source, download: Path, content: Path, *, expect: int | None = None, progress: Progress = silent
) -> None:
    """Download every file of a folder; files that are whole already are not fetched again.

    Args:
        source: a folder on Drive.
        download: folder that a second attempt finds again.
        content: folder to make.
        expect: number of files that the folder is known to hold.
        progress: told how many files are here.

    Raises:
        DataError: the folder or a file is private or over its quota, or the listing is not all.
        MissingExtraError: gdown is not installed.
    """
    files = list_drive_folder(source)
    require_all(files, source, expect)
    download.mkdir(parents=True, exist_ok=True)
    _remove_others(download, files)
    missing = [file for file in files if not file.below(download).exists()]
    progress("download, files", len(files) - len(missing), len(files))
    cancel = threading.Event()
    with ThreadPoolExecutor(_WORKERS) as pool:
        pending = {pool.submit(_fetch, source, file, download, cancel) for file in missing}
        try:
            while pending:
                finished, pending = wait(pending, timeout=1.0, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                progress("download, files", len(files) - len(pending), len(files))
        except BaseException:  # also Ctrl-C: the other threads must end before this one does
            cancel.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    _remove_others(download, files)
    download.rename(content)


def _fetch(source: Source, file: Listed, download: Path, cancel: threading.Event) -> None:
    path = file.below(download)
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"quiet": True, "use_cookies": False, "retries": _RETRIES, "timeout": _TIMEOUT}
    ask_drive(
        source, imported_gdown().download, id=file.file_id, output=str(path), cancel=cancel, what=file.path, **options
    )


def _remove_others(download: Path, files: list[Listed]) -> None:
    """Remove what is not in the listing: parts that a killed attempt left, and files that are no longer there."""
    listed = {file.below(download) for file in files}
    for path in [path for path in download.rglob("*") if path.is_file()]:
        if path not in listed:
            path.unlink()
