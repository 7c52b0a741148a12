"""One file from an http(s) address, in as many attempts as it takes.

pooch, which other projects use for this, begins every attempt at the first byte; an archive of 4 GB needs better. The
requests and their redirects, proxies and certificates are the library's; what is added here is only which bytes are
asked for, and when they may be joined.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lobule.data.get.answers import TransientError, check_status, refuse_page
from lobule.data.get.archives import HEAD
from lobule.data.get.intake import require_room
from lobule.data.get.part import Note, Part
from lobule.errors import DataError, MissingExtraError, StorageError
from lobule.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Patience", "download"]

_CHUNK = 2**16  # what a broken connection loses at most
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class Patience:
    """How long a download is tried.

    Attributes:
        attempts: attempts in a row that bring nothing before it is given up; bytes start the count anew.
        pause: seconds before the second attempt, doubled each time.
        longest_pause: seconds, also for what a server asks for.
        connect: seconds for a connection.
        read: seconds without a byte.
    """

    attempts: int = 5
    pause: float = 1.0
    longest_pause: float = 60.0
    connect: float = 20.0
    read: float = 60.0


def download(
    url: str, file: Path, *, unpacked: float = 1.0, patience: Patience | None = None, progress: Progress = silent
) -> None:
    """Download an archive; a part that is there already is gone on with, where the server lets us.

    Args:
        url: http or https.
        file: where it is put when it is whole; until then there is `NAME.part` beside it.
        unpacked: free space to ask for beside the archive's own, in sizes of the archive.
        patience: how long it is tried; None: the usual.
        progress: told how many MB are here.

    Raises:
        DataError: it cannot be had, the disk is too small, or what is sent is no archive.
        MissingExtraError: requests is not installed.
    """
    try:
        import requests
    except ImportError:
        raise MissingExtraError("downloading", "data") from None
    patience, part = patience or Patience(), Part(file)
    most, fruitless = part.size, 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with requests.Session() as session:
        session.headers["User-Agent"] = "lobule"
        session.headers["Accept-Encoding"] = "identity"  # offsets must be those of the bytes on disk
        while True:
            try:
                _attempt(session, url, part, unpacked, patience, progress)
            except TransientError as error:
                # Against the most that ever came: a server that always begins anew and breaks off is given up too.
                most, fruitless = max(most, part.size), 0 if part.size > most else fruitless + 1
                if fruitless >= patience.attempts:
                    raise _given_up(url, part, error) from error
                time.sleep(min(error.wait or patience.pause * 2**fruitless, patience.longest_pause))
            else:
                return


def _given_up(url: str, part: Part, error: TransientError) -> DataError:
    total = part.note.total
    of = f" of {total / 1e6:.1f}" if total else ""
    return DataError(
        f"{url}: {error} Tried several times. {part.size / 1e6:.1f}{of} MB are here; "
        "the same command goes on from there. Is there a network, and does the address open in a browser?"
    )


def _attempt(session: Any, url: str, part: Part, unpacked: float, patience: Patience, progress: Progress) -> None:
    """Ask once and write what comes.

    Raises:
        TransientError: it may go better next time.
        DataError: it will not.
    """
    import requests
    import urllib3

    try:
        with session.get(url, headers=_range(part), stream=True, timeout=(patience.connect, patience.read)) as answer:
            check_status(answer, url)
            if not _continues(answer, part):
                part.begin(_note(answer))
            total = part.note.total
            if total is not None:
                require_room(part.path, int((total - part.size) + total * unpacked), "this download, unpacked,")
            _write(answer, part, url, progress)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise TransientError(f"the connection failed ({_cause(error)}).") from error
    except requests.TooManyRedirects as error:
        raise DataError(f"{url}: redirects in a loop; give the address that it should lead to.") from error
    except requests.RequestException as error:
        raise DataError(f"{url}: cannot be asked for ({error}); check the address.") from error
    except urllib3.exceptions.HTTPError as error:
        raise TransientError(f"the connection broke off ({_cause(error)}).") from error
    except OSError as error:
        raise StorageError(f"{part.path}: cannot be written ({error.strerror or error}); it is kept.") from error
    _require_whole(part)


def _range(part: Part) -> dict[str, str]:
    """Ask for what is missing, provided that the file is still the one whose beginning is here."""
    if part.size and part.note.validator:
        return {"Range": f"bytes={part.size}-", "If-Range": part.note.validator}
    return {}


def _note(answer: Any) -> Note:
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() and "Transfer-Encoding" not in answer.headers else None
    return Note(_validator(answer), total)


def _validator(answer: Any) -> str:
    etag: str = answer.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _continues(answer: Any, part: Part) -> bool:
    """Return whether an answer goes on where the part ends; without that it is the file from its beginning.

    Raises:
        TransientError: it is neither; the part is dropped, and the next attempt begins anew.
    """
    if answer.status_code == 200:
        return False
    found, note = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "")), part.note
    if answer.status_code == 416 and note.total is not None and part.size == note.total:
        return True  # it was all here, and only its renaming was missing
    sound = (
        answer.status_code == 206
        and found is not None
        and int(found[1]) == part.size
        and (found[3] == "*" or note.total is None or int(found[3]) == note.total)
        and _validator(answer) in ("", note.validator)
    )
    if not sound:
        part.discard()
        raise TransientError("the file on the server has changed, or it sent another part than was asked for.")
    return True


def _write(answer: Any, part: Part, url: str, progress: Progress) -> None:
    if answer.status_code == 416:
        return
    total, here = part.note.total, part.size
    chunks = answer.raw.stream(_CHUNK, decode_content=False)
    if here == 0:
        chunks = _with_long_head(chunks)
    with part.path.open("ab") as stream:
        for chunk in chunks:
            if here == 0:
                _check_head(chunk, part, answer, url)
            stream.write(chunk)
            here += len(chunk)
            progress("download, MB", here // 10**6, (total or 0) // 10**6)
        stream.flush()
        os.fsync(stream.fileno())


def _with_long_head(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Make the first chunk long enough to tell by it what it is the beginning of."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD:
            break
    if head:
        yield head
    yield from chunks


def _check_head(head: bytes, part: Part, answer: Any, url: str) -> None:
    try:
        refuse_page(head, answer.headers.get("Content-Type", ""), answer.url or url)
    except DataError:
        part.discard()
        raise


def _require_whole(part: Part) -> None:
    total = part.note.total
    if total is not None and part.size < total:
        raise TransientError(f"the connection ended after {part.size} of {total} bytes.")
    if total is not None and part.size > total:
        part.discard()
        raise TransientError(f"more than the announced {total} bytes came.")
    if part.size == 0:
        part.discard()
        raise TransientError("nothing came.")
    part.finish()


def _cause(error: BaseException) -> str:
    """Return the innermost reason, which is the one that says something."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    reason = getattr(error, "reason", None)
    return _cause(reason) if isinstance(reason, BaseException) else f"{type(error).__name__}: {error}"
