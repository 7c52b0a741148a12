"""List the images of a CSV: a manifest, or a user's own table with its own column and class names."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lobule.data.layouts import Classes, Description, Listing, describe_path
from lobule.data.manifest import COLUMNS, Failure
from lobule.errors import ConfigError, DataError

__all__ = ["list_csv"]

_DELIMITERS = ",;\t"
_VERBATIM = ("path", "image_id")


def list_csv(path: Path, *, columns: Mapping[str, str], classes: Classes, root: Path | None = None) -> Listing:
    """List the images of a CSV (comma, semicolon or tab), in the order of its rows.

    A column is read when it carries the manifest's name, or the name that `columns` gives. What the row says wins;
    what it leaves empty is taken from the path (BreakHis name, else folders).

    Args:
        path: the CSV, UTF-8, with a header.
        columns: manifest column to the CSV's own; to "" for a column that is not to be read.
        classes: how class names are read.
        root: folder that the paths are relative to; None: the folder of the CSV.

    Raises:
        ConfigError: `columns` names a column that is not there.
        DataError: the file cannot be read, or has no path column.
    """
    header, rows = _read(path)
    position = _positions(path, header, columns)
    root = path.parent if root is None else root
    described: dict[str, Description] = {}
    failures = []
    for number, row in enumerate(rows, 2):
        values = _values(row, position)
        try:
            description = _describe_row(values, classes, root)
            _refuse_repetition(description, described)
            described[description.path] = description
        except DataError as error:
            failures.append(Failure(values.get("path") or f"{path.name} row {number}", str(error)))
    return Listing(root, tuple(described.values()), tuple(failures), has_pixels=_has_pixels(root, described.values()))


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            delimiter = max(_DELIMITERS, key=stream.readline().count)
            stream.seek(0)
            rows = [row for row in csv.reader(stream, delimiter=delimiter, strict=True) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV in UTF-8 ({error}).") from None
    if len(rows) < 2:
        raise DataError(f"{path}: expected a header and at least one row, received {len(rows)} rows.")
    return [name.strip() for name in rows[0]], rows[1:]


def _positions(path: Path, header: list[str], columns: Mapping[str, str]) -> dict[str, int]:
    if unknown := sorted(set(columns) - set(COLUMNS)):
        raise ConfigError(f"columns: unknown {', '.join(unknown)}; allowed: {', '.join(COLUMNS)}.")
    if missing := sorted(theirs for theirs in columns.values() if theirs and theirs not in header):
        raise ConfigError(f"columns: {path} has no column {', '.join(missing)}; it has {', '.join(header)}.")
    theirs = {name: columns.get(name, name) for name in COLUMNS}
    position = {ours: header.index(name) for ours, name in theirs.items() if name in header}
    if "path" not in position:
        raise DataError(
            f"{path}: no column `path`; it has {', '.join(header)}. "
            "Name the one with the image files: --set data.columns.path=<your column>."
        )
    return position


def _values(row: Sequence[str], position: Mapping[str, int]) -> dict[str, str]:
    values = {name: row[index] for name, index in position.items() if index < len(row)}
    return {name: value if name in _VERBATIM else value.strip() for name, value in values.items()}


def _describe_row(values: Mapping[str, str], classes: Classes, root: Path) -> Description:
    path = _relative(values.get("path", ""), root)
    label, subtype = _class_of(values, classes)
    described = describe_path(path, classes=None if label else classes)
    return replace(
        described,
        label=label or described.label,
        subtype=subtype if label else described.subtype,
        patient_id=values.get("patient_id") or described.patient_id,
        case_id=values.get("case_id") or described.case_id,
        magnification=_magnification(values.get("magnification", "")) or described.magnification,
        mpp=_mpp(values.get("mpp", "")),
        image_id=values.get("image_id", ""),
        pixel_sha256=values.get("pixel_sha256", ""),
    )


def _relative(path: str, root: Path) -> str:
    if not path:
        raise DataError("the path is empty")
    if "\\" in path and not _exists(root / path):
        path = path.replace("\\", "/")
    return Path(os.path.relpath(path, root.absolute())).as_posix() if Path(path).is_absolute() else path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long, or in a folder that may not be read
        return False


def _class_of(values: Mapping[str, str], classes: Classes) -> tuple[str, str]:
    given = [value for name in ("label", "subtype") if (value := values.get(name))]
    if unknown := [value for value in given if not classes.read([value])[0]]:
        raise DataError(f"{unknown[0]!r} is not a class; map it with --labels {unknown[0]}=benign (or another class)")
    return classes.read(given)


def _magnification(text: str) -> int | None:
    digits = text.strip("xX× ").removesuffix(".0")
    if digits and not (digits.isdecimal() and 0 < int(digits) < 10_000):
        raise DataError(f"magnification {text!r} is not a number such as 40 or 40X")
    return int(digits) if digits else None


def _mpp(text: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is None or 0 < value <= 1000:
        return value
    raise DataError(f"mpp {text!r} is not a number of microns per pixel, such as 0.49")


def _refuse_repetition(description: Description, earlier: Mapping[str, Description]) -> None:
    if description.path in earlier:
        raise DataError("an earlier row has the same path")


def _has_pixels(root: Path, descriptions: Iterable[Description]) -> bool:
    return any(item.pixel_sha256 or _exists(root / item.path) for item in descriptions)
