r"""Read a split that somebody made: Lobule's own, published fold files, a table, or folders.

| source | each image is named by | parts |
|---|---|---|
| `split.json` of Lobule | image_id | holdout: train, validation; folds: each against the others |
| `.txt` as the published `dsfoldN.txt`: lines `name\|magnification\|fold\|part` | file name | train, validation, test |
| `.csv`, `.tsv` with a header | a column `path`, `filename`, ... | a column `subset`, `split`, `fold`, ... |
| folder with `train`, `val`, `test` | where the file lies | its subfolders |
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lobule.data.manifest import Failure, Manifest
from lobule.data.split import Split
from lobule.data.walk import files_under, is_image_file
from lobule.errors import SplitError

__all__ = ["Division", "GivenSplit", "read_given_split"]

_PARTS = ("train", "validation", "test")
_PART_OF = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development", "tuning"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
}
_NAME_COLUMNS = ("path", "image_path", "filepath", "file_path", "filename", "file_name", "file", "image_id", "image")
_OTHER_NAME_COLUMNS = ("image_name", "name", "id")
_PART_COLUMNS = ("subset", "split", "set", "partition", "part", "usage", "grp")
_FOLD_COLUMNS = ("fold", "kfold", "fold_id")
_FIELDS_OF_LINE = 4
_KINDS = (
    "Lobule's split.json, lines name|magnification|fold|part (.txt), a .csv with a column of images and a column of "
    "subsets, or a folder with subfolders train, val and test"
)


@dataclass(frozen=True)
class Division:
    """One way in which a split divides the images.

    Attributes:
        name: e.g. holdout, or fold 1; "" where the split has only one.
        parts: image ids of each part, by its name; an image may stand in several, which is a leak.
        is_crossed: whether each part is held out in turn, against all others.
    """

    name: str
    parts: dict[str, tuple[str, ...]]
    is_crossed: bool = False


@dataclass(frozen=True)
class GivenSplit:
    """A split as somebody made it, leaks and all.

    Attributes:
        source: file or folder it was read from.
        divisions: what it divides.
        missing: number of entries that name no image of the manifest.
        left_out: number of images of the manifest that are in no part.
    """

    source: str
    divisions: tuple[Division, ...]
    missing: int
    left_out: int


@dataclass(frozen=True)
class _Entry:
    division: str
    part: str
    image: str


def read_given_split(path: Path, manifest: Manifest) -> GivenSplit:
    r"""Read a split and find its images in a manifest.

    An image is found by its path, else its image_id, its file name, or its file name with another extension.

    Args:
        path: file or folder, of one of the kinds above.
        manifest: the images.

    Raises:
        SplitError: it is of no kind above, names none of the images, or a name that several images have.
    """
    entries = list(_entries(path))
    index = _Index(manifest)
    found = [(entry, index.find(entry.image)) for entry in entries]
    known = [(entry, image) for entry, image in found if image]
    if not known:
        first = f", such as {entries[0].image!r}" if entries else ""
        raise SplitError(f"--split {path}: none of its {len(entries)} entries{first} is an image of the data set.")
    divided: dict[str, dict[str, dict[str, None]]] = {}
    for entry, image in known:
        divided.setdefault(entry.division, {}).setdefault(entry.part, {})[image] = None
    divisions = tuple(_division(name, parts) for name, parts in divided.items())
    if all(len(division.parts) < 2 for division in divisions):
        raise SplitError(f"--split {path}: all its images are in one part, {entries[0].part}; nothing is held out.")
    return GivenSplit(
        source=path.name,
        divisions=divisions,
        missing=len(found) - len(known),
        left_out=len(set(manifest.frame["image_id"]) - {image for _, image in known}),
    )


def _division(name: str, parts: dict[str, dict[str, None]]) -> Division:
    images = {part: tuple(parts[part]) for part in sorted(parts, key=_order)}
    return Division(name, images, is_crossed=not set(parts) <= set(_PARTS))


def _order(part: str) -> tuple[int, int, str]:
    number = part.rpartition(" ")[2]
    return (_PARTS.index(part) if part in _PARTS else len(_PARTS), int(number) if number.isdecimal() else 0, part)


def _entries(path: Path) -> Iterator[_Entry]:
    if path.is_dir():
        return _from_folder(path)
    if not path.exists():
        raise SplitError(f"--split {path}: there is no such file or folder; name {_KINDS}.")
    readers = {".json": _from_json, ".txt": _from_lines, ".csv": _from_table, ".tsv": _from_table}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SplitError(f"--split {path}: a file of this kind is no split; name {_KINDS}.")
    return reader(path)


def _from_json(path: Path) -> Iterator[_Entry]:
    split = Split.load(path)
    sides = {"train": split.train, "validation": split.validation}
    yield from (_Entry("holdout", part, image) for part, images in sides.items() for image in images)
    for number, fold in enumerate(split.folds, 1):
        yield from (_Entry("folds", f"fold {number}", image) for image in fold)


def _from_lines(path: Path) -> Iterator[_Entry]:
    lines = [line.strip() for line in _text(path).splitlines()]
    rows = [(number, line.split("|")) for number, line in enumerate(lines, 1) if line]
    folds = {row[2].strip() for _, row in rows if len(row) == _FIELDS_OF_LINE}
    for number, row in rows:
        if len(row) != _FIELDS_OF_LINE:
            raise SplitError(
                f"--split {path}: line {number}: expected name|magnification|fold|part, {'|'.join(row)!r}."
            )
        name, _, fold, part = (field.strip() for field in row)
        yield _Entry(f"fold {fold}" if len(folds) > 1 else "", _part(part, f"{path}: line {number}"), name)


def _from_table(path: Path) -> Iterator[_Entry]:
    header, *rows = _rows(path)
    names = [re.sub(r"[\s-]+", "_", name.strip().casefold()) for name in header]
    image_at = _column(path, names, (*_NAME_COLUMNS, *_OTHER_NAME_COLUMNS), "of images")
    has_both = bool(set(_PART_COLUMNS) & set(names))
    part_at = _column(path, names, (*_PART_COLUMNS, *_FOLD_COLUMNS), "of subsets")
    fold_at = next((names.index(name) for name in _FOLD_COLUMNS if name in names and has_both), None)
    for number, row in enumerate(rows, 2):
        fields = [field.strip() for field in row] + [""] * (len(names) - len(row))
        if part := fields[part_at]:
            division = f"fold {fields[fold_at]}" if fold_at is not None else ""
            yield _Entry(division, _part(part, f"{path}: row {number}", or_fold=True), fields[image_at])


def _from_folder(path: Path) -> Iterator[_Entry]:
    subfolders = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and folder.name.casefold() in _PART_OF]
    if len(subfolders) < 2:
        raise SplitError(f"--split {path}: expected two or more subfolders of train, val and test; name {_KINDS}.")
    unreadable: list[Failure] = []
    root = _real(path)
    for folder in subfolders:
        part = _PART_OF[folder.name.casefold()]
        inside = (name for name in files_under(folder, unreadable) if is_image_file(name))
        yield from (_Entry("", part, f"{root}/{folder.name}/{name}") for name in inside)
    if unreadable:
        raise SplitError(f"--split {path}: {unreadable[0].path}: {unreadable[0].reason}.")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SplitError(f"--split {path}: cannot be read as text in UTF-8 ({error}).") from None


def _rows(path: Path) -> list[list[str]]:
    text = _text(path)
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        return [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(row)] or [[]]
    except csv.Error as error:
        raise SplitError(f"--split {path}: cannot be read as a table ({error}).") from None


def _column(path: Path, names: Sequence[str], known: Sequence[str], purpose: str) -> int:
    for name in known:
        if name in names:
            return names.index(name)
    raise SplitError(
        f"--split {path}: no column {purpose}; it has {', '.join(names) or 'none'}. Call one {', '.join(known)}."
    )


def _part(text: str, where: str, *, or_fold: bool = False) -> str:
    plain = re.sub(r"[\s_-]+", "", text.casefold())
    if plain in _PART_OF:
        return _PART_OF[plain]
    if or_fold and (number := re.fullmatch(r"(?:fold)?(\d+)(?:\.0)?", plain)):
        return f"fold {number[1]}"
    folds = " or the number of a fold" if or_fold else ""
    raise SplitError(f"--split {where}: {text!r} is no subset; allowed: {', '.join(_PART_OF)}{folds}.")


def _real(folder: Path) -> str:
    return Path(os.path.realpath(folder)).as_posix()


class _Index:
    """Finds an image of a manifest by whatever a split calls it: the most exact name wins."""

    def __init__(self, manifest: Manifest) -> None:
        ids = manifest.frame["image_id"].tolist()
        paths = [PurePosixPath(path) for path in manifest.frame["path"]]
        root = PurePosixPath(_real(manifest.root))
        self._ways = [
            _by(map(str, paths), ids),
            _by((str(root / path) for path in paths), ids),
            _by(ids, ids),
            _by((path.name for path in paths), ids),
            _by((path.stem for path in paths), ids),
        ]

    def find(self, name: str) -> str | None:
        """Return the image_id; None where no image has this name.

        Raises:
            SplitError: several images have it.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        for way, key in zip(self._ways, (str(path), str(path), name, path.name, path.stem), strict=True):
            if matches := way.get(key):
                if len(matches) > 1:
                    raise SplitError(f"--split: {name!r} is the name of {len(matches)} images; give their paths.")
                return matches[0]
        return None


def _by(keys: Iterable[str], ids: Sequence[str]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for key, image_id in zip(keys, ids, strict=True):
        index.setdefault(key, []).append(image_id)
    return index
