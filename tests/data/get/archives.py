"""Archives, honest and hostile, made in the tests."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

HONEST = {"images/benign/one.png": b"first" * 400, "images/malignant/two.png": b"second" * 400, "empty.txt": b""}


def write_tar(path: Path, files: Mapping[str, bytes], *, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload,unused-ignore]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_seven_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    import py7zr

    with py7zr.SevenZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(content, name)
    return path


def write_kind(folder: Path, kind: str, files: Mapping[str, bytes] = HONEST) -> Path:
    path = folder / f"archive.{kind}"
    if kind == "zip":
        return write_zip(path, files)
    if kind == "7z":
        return write_seven_zip(path, files)
    return write_tar(path, files, mode="w:" + kind.removeprefix("tar").removeprefix("."))


def write_special_tar(path: Path, kind: bytes, *, name: str = "special", target: str = "/etc/passwd") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return path


def write_special_zip(path: Path, mode: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("special")
        info.create_system = 3
        info.external_attr = (mode | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content; a link fails."""
    found = {}
    for path in sorted(folder.rglob("*")):
        assert not path.is_symlink()
        if path.is_file():
            assert stat.S_ISREG(path.lstat().st_mode)
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found
