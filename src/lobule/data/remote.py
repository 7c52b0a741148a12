"""Places behind an address (s3://, gs://, memory://, ...), by fsspec: listed, read and written like files.

An image is read into memory when its turn comes, so that of a bucket of millions no more lies here than is worked on.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from lobule.data.walk import is_image_file, is_skipped
from lobule.errors import ConfigError, DataError, ImageError, MissingExtraError, StorageError
from lobule.provenance import cache_folder
from lobule.storage import scratch_folder

__all__ = ["STORES", "RemoteFile", "address_of", "images_at", "read_remote", "written_whole"]

_ADDRESS: Final = re.compile(r"(?P<protocol>[a-z][a-z0-9+.-]+):/+(?P<rest>.*)", re.DOTALL)
_DRIVERS: Final = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "adlfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
}
STORES: Final = frozenset(_DRIVERS) - {"http", "https"} | {"memory"}
"""Protocols of places that hold folders of images; an http(s) address is an archive."""

_WHOLE_AT_ONCE: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"})
"""Where an object is there as a whole or not at all; elsewhere a file is written beside its place, then moved."""

_VERSIONS: Final = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "last_modified", "created")


@dataclass(frozen=True)
class RemoteFile:
    """An image at an address.

    Attributes:
        address: where it is.
        name: its path within what was asked for.
        size: in bytes; -1 where it is not told.
        version: another number for another content, as far as the place tells.
    """

    address: str
    name: str
    size: int
    version: int


def address_of(path: Path | str) -> str | None:
    """Return the address that a path stands for; None for a file or folder of this machine.

    A `Path` that was made of an address has lost a slash, which is put back.

    >>> address_of(Path("s3://bucket/a.png"))
    's3://bucket/a.png'
    >>> address_of("images/a.png") is None
    True
    """
    match = _ADDRESS.fullmatch(path.as_posix() if isinstance(path, Path) else path)
    return f"{match['protocol']}://{match['rest']}" if match else None


def images_at(address: str) -> list[RemoteFile]:
    """Return the image at an address, or all images below it, by address; what is hidden is passed over.

    Raises:
        ConfigError: nobody knows the protocol, or its driver is not installed.
        DataError: the place cannot be listed.
        MissingExtraError: fsspec is not installed.
    """
    files, root = _place(address)
    try:
        found: dict[str, Any] = files.find(root, detail=True)
    except Exception as error:
        raise DataError(f"{address}: cannot be listed ({_words(error)}); {_check(address)}") from error
    if root in found:
        return [_file(address, PurePosixPath(root).name, found[root])]
    names = {path[len(root) :].lstrip("/"): told for path, told in sorted(found.items())}
    return [
        _file(f"{address.rstrip('/')}/{name}", name, told)
        for name, told in names.items()
        if is_image_file(name) and not any(map(is_skipped, name.split("/")[:-1]))
    ]


def read_remote(address: str) -> bytes:
    """Return the content of a file.

    Raises:
        ImageError: it cannot be had; the message is the reason.
    """
    files, path = _place(address)
    try:
        return bytes(files.cat_file(path))
    except Exception as error:
        raise ImageError(f"cannot be fetched: {_words(error)}") from error


@contextmanager
def written_whole(address: str, *, beside: tuple[str, ...] = (), resume: bool = False) -> Iterator[Path]:
    """Yield a file of this machine that is put to an address at the end, whole; until then nothing changes there.

    It lies in a folder of the cache that belongs to the address: after a failure it stays, and a later call finds it.

    Args:
        address: where the file shall be.
        beside: names of files beside it that are put too where they were made, and removed there where not.
        resume: begin with what is at the address, where nothing was begun here.

    Raises:
        StorageError: it cannot be put there; says where it lies meanwhile.
    """
    files, path = _place(address)
    parent, _, name = path.rpartition("/")
    work = cache_folder() / "outputs" / hashlib.sha256(address.encode()).hexdigest()[:32]
    targets = {work / other: f"{parent}/{other}" for other in (*beside, name)}
    if resume and not work.exists():
        _begin_with(files, targets, work, address)
    yield work / name
    try:
        for local, target in targets.items():
            if local.exists():
                _put(files, local, target)
            elif files.exists(target):
                files.rm_file(target)
    except Exception as error:
        raise StorageError(
            f"{address}: cannot be written ({_words(error)}); the result lies in {work}. {_check(address)} Then repeat "
            "the command with --resume."
        ) from error
    shutil.rmtree(work)


def _begin_with(files: Any, targets: Mapping[Path, str], work: Path, address: str) -> None:
    """Fetch what is at an address already, all of it or nothing.

    Raises:
        StorageError: it cannot be fetched.
    """
    try:
        with scratch_folder(work) as folder:
            for local, target in targets.items():
                if files.exists(target):
                    files.get_file(target, str(folder / local.name))
            folder.replace(work)
    except Exception as error:
        raise StorageError(
            f"{address}: what is there cannot be read ({_words(error)}). {_check(address)} Then repeat the command, or"
            " leave out --resume to begin anew."
        ) from error


def _put(files: Any, local: Path, target: str) -> None:
    protocol = files.protocol if isinstance(files.protocol, str) else files.protocol[0]
    if protocol in _WHOLE_AT_ONCE:
        files.put_file(str(local), target)
        return
    parent, _, name = target.rpartition("/")
    files.makedirs(parent, exist_ok=True)
    files.put_file(str(local), f"{parent}/.{name}.tmp")
    files.mv(f"{parent}/.{name}.tmp", target)


def _place(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    try:
        import fsspec
    except ModuleNotFoundError:
        raise MissingExtraError(address, "data") from None
    protocol = address.partition(":")[0]
    try:
        files, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        driver = _DRIVERS.get(protocol)
        line = f"pip install {driver}" if driver else str(error)
        raise ConfigError(f"{address}: {protocol}:// needs a driver that is not installed: {line}") from None
    except ValueError as error:
        raise ConfigError(
            f"{address}: {error}; allowed are paths of this machine and what fsspec knows, such as s3://, gs:// and "
            "az://."
        ) from None
    return files, path.rstrip("/")


def _file(address: str, name: str, told: dict[str, Any]) -> RemoteFile:
    size = told.get("size")
    return RemoteFile(address, name, -1 if size is None else int(size), _version(told))


def _version(told: dict[str, Any]) -> int:
    known = next((str(told[name]) for name in _VERSIONS if told.get(name) is not None), "")
    return int.from_bytes(hashlib.sha256(known.encode()).digest()[:7]) if known else 0


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _check(address: str) -> str:
    driver = _DRIVERS.get(address.partition(":")[0])
    credentials = (
        f", and the credentials that {driver} looks for (environment variables or its own file)" if driver else ""
    )
    return f"Check the address{credentials}."
