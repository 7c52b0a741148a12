"""What a server answered, in words: an archive, a page that asks somebody to log in, or an error."""

from __future__ import annotations

import html
import re
from typing import Any

from lobule.data.get.archives import archive_kind
from lobule.errors import DataError

__all__ = ["TransientError", "check_status", "refuse_page"]

_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_WORDS = {
    401: "asks for a user name and a password; download it in a browser and give the file",
    403: "does not allow it; download it in a browser and give the file, or ask its owner",
    404: "has no such file; check the address",
    407: "is behind a proxy that asks for a password; set HTTPS_PROXY with it",
    410: "has removed the file; look for it on the page of its publisher",
    451: "withholds the file for legal reasons",
}


class TransientError(Exception):
    """Something that may go better next time.

    Args:
        message: a sentence.
        wait: seconds that the server asks for; 0 where it does not.
    """

    def __init__(self, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


def check_status(answer: Any, url: str) -> None:
    """Let answers pass that carry content (200, 206) or say that nothing is missing (416).

    Raises:
        TransientError: the server has a difficulty that passes.
        DataError: it will not give the file.
    """
    status = answer.status_code
    if status in (200, 206, 416):
        return
    if status in _TRANSIENT:
        asked = str(answer.headers.get("Retry-After", ""))
        raise TransientError(
            f"the server has a difficulty (status {status} {answer.reason}).",
            wait=float(asked) if asked.isdecimal() else 0.0,
        )
    raise DataError(f"{url}: the server {_WORDS.get(status, 'refuses')} (status {status} {answer.reason}).")


def refuse_page(head: bytes, content_type: str, url: str) -> None:
    """Check that a file begins as an archive does.

    Args:
        head: its first bytes, 512 or all.
        content_type: what the server calls it.
        url: where it came from in the end, after redirects.

    Raises:
        DataError: it does not; a web page is quoted by its title.
    """
    if archive_kind(head) is not None or head.startswith((b"Rar!", b"\x28\xb5\x2f\xfd")):
        return
    start = head.lstrip()[:64].lower()
    if "html" in content_type or start.startswith((b"<!doctype html", b"<html")):
        found = _TITLE.search(head)
        title = html.unescape(" ".join(found[1].decode("utf-8", "replace").split())) if found else "no title"
        raise DataError(
            f"{url}: sent a web page ({title!r}) instead of a file: a login, a licence to accept, or a page about the "
            "file. Open it in a browser, download the archive there, and give its path."
        )
    raise DataError(
        f"{url}: sent no archive ({content_type or 'no type given'}, beginning with {head[:12]!r}); supported are zip, "
        "7z and tar (also .gz, .bz2, .xz)."
    )
