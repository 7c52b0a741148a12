"""What a Google Drive folder holds, and whether that is all."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lobule.data.get.drive_words import OTHER_WAYS, ask_drive, imported_gdown
from lobule.data.get.intake import safe_parts
from lobule.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from lobule.data.get.source import Source

__all__ = ["Listed", "list_drive_folder", "require_all"]

_TIMEOUT = (20.0, 60.0)
# A listing that ends exactly here may be the first page of more: Drive's own pages hold 50, 100 or 1000 entries.
_PAGES = frozenset({50, 100, 200, 250, 500, 1000, 2000, 5000})
_INSTEAD = f"share the folder as one zip file, or {OTHER_WAYS}"


@dataclass(frozen=True)
class Listed:
    """A file of a Drive folder.

    Attributes:
        file_id: Drive's own id.
        parts: its path in the folder.
    """

    file_id: str
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        """Its path in the folder, with forward slashes."""
        return "/".join(self.parts)

    def below(self, folder: Path) -> Path:
        """Return its path below a folder on this machine."""
        return folder.joinpath(*self.parts)


def list_drive_folder(source: Source) -> list[Listed]:
    """Return every file of a folder and its subfolders, as far as Drive lists them.

    Raises:
        DataError: it cannot be listed, is empty, or two files have the same path.
        MissingExtraError: gdown is not installed.
    """
    found = ask_drive(
        source,
        imported_gdown().download_folder,
        id=source.address,
        output="listing",
        quiet=True,
        use_cookies=False,
        skip_download=True,
        timeout=_TIMEOUT,
    )
    files = []
    for entry in found:
        try:
            files.append(Listed(entry.id, safe_parts(entry.path)))
        except ValueError as error:
            raise DataError(f"SOURCE {source.given}: the file {entry.path!r} {error}; rename it in Drive.") from None
    if not files:
        raise DataError(
            f"SOURCE {source.given}: Drive lists no file in it. It is empty, or private: then its owner must share it "
            f"with 'Anyone with the link'; or {OTHER_WAYS}."
        )
    counted = Counter(file.path for file in files)
    if twice := [path for path, times in counted.items() if times > 1]:
        raise DataError(f"SOURCE {source.given}: {twice[0]} is there twice; rename or remove one of them in Drive.")
    return files


def require_all(files: list[Listed], source: Source, expect: int | None) -> None:
    """Check that a listing is all there is, as far as that can be seen.

    Drive does not say how many files a folder holds. So a number given by the user decides; without one, a folder
    whose listing ends exactly where pages end is taken for cut off.

    Args:
        files: the listing.
        source: the folder.
        expect: how many files there are, as the user knows; None: not known.

    Raises:
        DataError: it is not all, or may not be.
    """
    if expect is not None:
        if len(files) != expect:
            raise DataError(
                f"--expect {expect}: Drive lists {len(files)} files in {source.given}; nothing was fetched. "
                f"If {expect} is right, the listing is cut off: {_INSTEAD}."
            )
        return
    entries: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for file in files:
        for depth, part in enumerate(file.parts):
            entries[file.parts[:depth]].add(part)
    for folder, names in sorted(entries.items()):
        if len(names) in _PAGES:
            raise DataError(
                f"SOURCE {source.given}: Drive lists exactly {len(names)} entries in "
                f"{'/'.join(folder) or 'the folder itself'}, and listings are cut off at such numbers; nothing was "
                f"fetched. Count them in Drive. If that is all, add --expect {len(files)} (all files, subfolders "
                f"included); if there are more, {_INSTEAD}."
            )
