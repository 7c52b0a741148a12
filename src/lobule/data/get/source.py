"""What the word after `lobule data get` means."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from lobule.data.remote import STORES
from lobule.errors import ConfigError

__all__ = ["BREAKHIS_URL", "Source", "SourceKind", "parse_source"]

BREAKHIS_URL = "http://www.inf.ufpr.br/vri/databases/BreaKHis_v1.tar.gz"

_ALLOWED = (
    "breakhis, an http(s) or file address of an archive, a Google Drive link, the path of an archive, "
    "kaggle:OWNER/DATASET, hf:OWNER/DATASET or a place of object storage (s3://, gs://, az://, what fsspec knows)"
)
_DRIVE_HOSTS = frozenset({"drive.google.com", "docs.google.com", "drive.usercontent.google.com"})
_DRIVE_ID = re.compile(r"[-\w]{10,}", re.ASCII)
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


class SourceKind(Enum):
    """How a source is fetched."""

    BREAKHIS = "the official BreakHis archive"
    WEB = "an address of an archive"
    FILE = "an archive on this machine"
    DRIVE_FILE = "a file on Google Drive"
    DRIVE_FOLDER = "a folder on Google Drive"
    KAGGLE = "a data set on Kaggle"
    HUGGING_FACE = "a data set on Hugging Face"
    BUCKET = "images in object storage"


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        kind: how it is fetched.
        address: URL, path, Drive id or `owner/dataset`.
        given: what the user wrote.
    """

    kind: SourceKind
    address: str
    given: str

    @property
    def digest(self) -> str:
        """SHA-256 of kind and address: the same source, whatever may not be written down of it."""
        return hashlib.sha256(f"{self.kind.name} {self.address}".encode()).hexdigest()

    @property
    def public(self) -> str:
        """The source without passwords and tokens, which must not end up beside the data."""
        if self.kind not in (SourceKind.WEB, SourceKind.BUCKET):
            return self.given
        parts = urlsplit(self.address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def parse_source(text: str) -> Source:
    """Tell what kind of source a text is.

    Args:
        text: `breakhis`, an address, a Drive link, a path, `kaggle:owner/dataset`, `hf:owner/dataset` or a place of
            object storage.

    Raises:
        ConfigError: it is none of these.

    >>> parse_source("https://drive.google.com/drive/folders/1I2EFBgeyb9Lr1sdBtAZST1reEjCpkX3k?usp=sharing").address
    '1I2EFBgeyb9Lr1sdBtAZST1reEjCpkX3k'
    """
    if text.lower() == "breakhis":
        return Source(SourceKind.BREAKHIS, BREAKHIS_URL, text)
    scheme, _, rest = text.partition(":")
    hub = {"kaggle": SourceKind.KAGGLE, "hf": SourceKind.HUGGING_FACE}.get(scheme.lower())
    if hub is not None:
        if not _HUB_NAME.fullmatch(rest):
            raise ConfigError(f"SOURCE {text!r}: expected {scheme}:OWNER/DATASET, such as {scheme}:somebody/breakhis.")
        return Source(hub, rest, text)
    if scheme.lower() in ("http", "https") and rest.startswith("//"):
        return _web(text)
    if scheme.lower() == "file" and rest.startswith("//"):
        return _local(Path(url2pathname(unquote(urlsplit(text).path))), text)
    if "://" in text:
        if scheme not in STORES:
            raise ConfigError(f"SOURCE {text!r}: {scheme} addresses are not supported; allowed is {_ALLOWED}.")
        return Source(SourceKind.BUCKET, text, text)
    return _local(Path(text).expanduser(), text)


def _web(text: str) -> Source:
    try:
        host = urlsplit(text).hostname or ""
    except ValueError:
        host = ""
    if not host:
        raise ConfigError(f"SOURCE {text!r}: is no address; allowed is {_ALLOWED}.")
    return _drive(text) if host.lower() in _DRIVE_HOSTS else Source(SourceKind.WEB, text, text)


def _drive(text: str) -> Source:
    parts = urlsplit(text)
    if folder := re.search(rf"/folders/({_DRIVE_ID.pattern})", parts.path):
        return Source(SourceKind.DRIVE_FOLDER, folder[1], text)
    if file := re.search(rf"/d/({_DRIVE_ID.pattern})|[?&]id=({_DRIVE_ID.pattern})", f"{parts.path}?{parts.query}"):
        kind = SourceKind.DRIVE_FOLDER if "folderview" in parts.path else SourceKind.DRIVE_FILE
        return Source(kind, file[1] or file[2], text)
    raise ConfigError(
        f"SOURCE {text}: names no file or folder of Google Drive; open it in Drive and use Share > Copy link, "
        "which gives .../drive/folders/ID or .../file/d/ID."
    )


def _local(path: Path, text: str) -> Source:
    if path.is_dir():
        raise ConfigError(f"SOURCE {text}: is a folder on this machine already; give it to `lobule train`.")
    if not path.is_file():
        raise ConfigError(f"SOURCE {text}: there is no such file; allowed is {_ALLOWED}.")
    return Source(SourceKind.FILE, str(path.resolve()), text)
