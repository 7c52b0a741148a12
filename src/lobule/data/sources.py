"""List the images of a folder or of a plain list of names, without opening any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lobule.data.failures import Failure
from lobule.data.layouts import Classes, Description, Listing, describe_path
from lobule.data.walk import files_under, is_image_file, is_text
from lobule.errors import DataError

__all__ = ["list_folder", "list_names"]


def list_folder(folder: Path, *, classes: Classes) -> Listing:
    """List every image under a folder, in the order of its path.

    Links to folders are followed, each folder once, so that a loop ends. Files without an image extension, hidden
    files and what lies in hidden folders, in `masks` (annotations carry the names of their images) or in folders of the
    operating system are not images.

    Args:
        folder: the data root.
        classes: how folder names are read.
    """
    failures: list[Failure] = []
    found: list[str] = []
    ignored = 0
    for path in files_under(folder, failures):
        if is_image_file(path):
            found.append(path)
        else:
            ignored += 1
    described = [_described(path, classes) for path in sorted(found)]
    return Listing(
        root=folder,
        descriptions=tuple(item for item in described if isinstance(item, Description)),
        failures=(*failures, *(item for item in described if isinstance(item, Failure))),
        ignored=ignored,
    )


def list_names(path: Path) -> Listing:
    """List the BreakHis names of a text file, one a line; no image is there, so none will be opened.

    Raises:
        DataError: the file cannot be read as text.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of file names, one a line ({error}).") from None
    descriptions: dict[str, Description] = {}
    failures = []
    for line in lines:
        described = describe_path(line.replace("\\", "/"), classes=None)
        if described.breakhis is None:
            failures.append(Failure(line, "not a BreakHis name; names of other grammars need their folder or a CSV"))
        elif line in descriptions:
            failures.append(Failure(line, "listed twice"))
        else:
            descriptions[line] = described if described.path == line else replace(described, path=line)
    return Listing(path.parent, tuple(descriptions.values()), tuple(failures), has_pixels=False)


def _described(path: str, classes: Classes) -> Description | Failure:
    if not is_text(path):
        return Failure(path.encode(errors="backslashreplace").decode(), "its name is not valid UTF-8: rename it")
    try:
        return describe_path(path, classes=classes)
    except DataError as error:
        return Failure(path, str(error))
