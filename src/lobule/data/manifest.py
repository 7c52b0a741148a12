"""The manifest: one validated row an image, what every later step reads instead of the folder."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lobule.data.failures import Failure
from lobule.errors import DataError
from lobule.provenance import digest_of_json, write_atomically
from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS

__all__ = ["COLUMNS", "Failure", "Manifest"]

COLUMNS = (
    "image_id",
    "path",
    "pixel_sha256",
    "width",
    "height",
    "label",
    "subtype",
    "patient_id",
    "case_id",
    "magnification",
    "mpp",
)
_DTYPES = {"width": "int64", "height": "int64", "magnification": "Int64", "mpp": "float64"}
_LARGEST_MPP = 1000.0
_SPECIAL = re.compile(r'[,"\r\n]')
_REQUIRED = ("image_id", "path", "label", "patient_id", "case_id")
_ONE_EACH = frozenset({"image_id", "path", "pixel_sha256"})
_DIGESTED = ["image_id", "pixel_sha256", "label", "subtype", "patient_id", "case_id"]


@dataclass(frozen=True, eq=False)
class Manifest:
    """The images of a data set.

    Attributes:
        frame: one row an image, exactly `COLUMNS` (brought to their types when the manifest is made). Text is "" where
            empty; width and height are in pixels, 0 where only the name is known; magnification is <NA> and mpp
            (microns per pixel) nan where unknown.
        root: folder that the paths in `frame` are relative to.

    Raises:
        DataError: a column is missing, an image_id is repeated, a required value is empty, or a value is not allowed.
    """

    frame: pd.DataFrame
    root: Path

    def __post_init__(self) -> None:
        frame = _typed(self.frame)
        _validate(frame)
        object.__setattr__(self, "frame", frame)
        object.__setattr__(self, "root", Path(self.root))

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def paths(self) -> list[Path]:
        """Absolute path of every image, in row order."""
        root = self.root.absolute()
        return [root / path for path in self.frame["path"]]

    @cached_property
    def digest(self) -> str:
        """The `dataset_sha256` of a split: the images, what they are and whose; not where they lie or their order."""
        return digest_of_json(sorted(self.frame[_DIGESTED].values.tolist()))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], *, root: Path) -> Manifest:
        """Make a manifest of rows; a column that a row lacks is empty."""
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        for row in rows:
            for name, column in columns.items():
                column.append(row.get(name))
        return cls(pd.DataFrame({name: _as_objects(column) for name, column in columns.items()}), root)

    def select(self, image_ids: Sequence[str]) -> Manifest:
        """Return the manifest of the named images, in the given order.

        Raises:
            DataError: an id is not in the manifest, or is named twice.
        """
        position = {image_id: row for row, image_id in enumerate(self.frame["image_id"])}
        if unknown := [image_id for image_id in image_ids if image_id not in position]:
            raise DataError(
                f"image_ids: {len(unknown)} of {len(image_ids)} are not in the manifest, first {unknown[:3]}; "
                "use the manifest that they were taken from."
            )
        return Manifest(self.frame.iloc[[position[image_id] for image_id in image_ids]], self.root)

    def write(self, path: Path) -> None:
        """Write the manifest as CSV (UTF-8, empty where unknown), atomically; the root is not written."""
        rows = zip(*(_fields(self.frame[name]) for name in COLUMNS), strict=True)
        write_atomically(path, "".join(",".join(row) + "\n" for row in chain([COLUMNS], rows)))

    @classmethod
    def read(cls, path: Path, *, root: Path | None = None) -> Manifest:
        """Read a manifest that `write` wrote.

        Args:
            path: the CSV file.
            root: folder that its paths are relative to; None: the folder of the CSV file.

        Raises:
            DataError: the file cannot be read, or is not a manifest.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                columns = _columns_of(path, csv.reader(stream, strict=True))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"manifest {path}: cannot be read ({error}); make one with `lobule data scan`.") from None
        return cls(pd.DataFrame(columns), root or path.parent)


def _columns_of(path: Path, rows: Iterator[list[str]]) -> dict[str, NDArray[np.object_]]:
    """Return the columns of a file's rows; a value that is repeated, such as a case, is kept once."""
    header = next(rows, [])
    if tuple(header) != COLUMNS:
        raise DataError(
            f"manifest {path}: expected the columns {', '.join(COLUMNS)}; received {', '.join(header) or 'none'}."
        )
    columns: list[list[str]] = [[] for _ in COLUMNS]
    known: list[dict[str, str]] = [{} for _ in COLUMNS]
    shared = [name not in _ONE_EACH for name in COLUMNS]
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS):
            raise DataError(f"manifest {path}: row {number} does not have {len(COLUMNS)} fields; is the file complete?")
        for column, values, is_shared, value in zip(columns, known, shared, row, strict=True):
            column.append(values.setdefault(value, value) if is_shared else value)
    return {name: _as_objects(column) for name, column in zip(COLUMNS, columns, strict=True)}


def _as_objects(values: list[Any]) -> NDArray[np.object_]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _fields(column: pd.Series[Any]) -> Iterator[str]:
    for value, is_unknown in zip(column.tolist(), column.isna().to_numpy(), strict=True):
        text = "" if is_unknown else str(value)
        # csv.writer leaves a carriage return unquoted before Python 3.13, and could not read it back
        yield '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise DataError(f"manifest: columns missing: {', '.join(missing)}; needed: {', '.join(COLUMNS)}.")
    return pd.DataFrame({name: _typed_column(frame[name]) for name in COLUMNS}).reset_index(drop=True)


def _typed_column(column: pd.Series[Any]) -> pd.Series[Any]:
    if dtype := _DTYPES.get(str(column.name)):
        return _as_numbers(column.astype(object).where(column.notna(), ""), dtype)
    cells = zip(column.to_numpy(dtype=object), column.notna().to_numpy(), strict=True)
    text = _as_objects([str(cell) if is_known else "" for cell, is_known in cells])
    return pd.Series(text, index=column.index, name=column.name, dtype=object)


def _as_numbers(values: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    known = values.mask(values == "", 0 if dtype == "int64" else None)
    try:
        numbers: pd.Series[Any] = pd.to_numeric(known).astype(dtype)
    except (ValueError, TypeError) as error:
        raise DataError(f"manifest column {values.name}: expected numbers or nothing ({error}).") from None
    return numbers


def _validate(frame: pd.DataFrame) -> None:
    for name in _REQUIRED:
        _refuse(frame, frame[name] == "", f"column {name} must not be empty")
    _refuse(frame, frame["image_id"].duplicated(), "image_id must be unique")
    _refuse(frame, ~frame["label"].isin(LABELS), f"label must be one of {', '.join(LABELS)}")
    expected = frame["subtype"].map({**LABEL_OF_SUBTYPE, "": ""})
    _refuse(frame, expected.isna(), f"subtype must be empty or one of {', '.join(LABEL_OF_SUBTYPE)}")
    _refuse(frame, (expected != "") & (expected != frame["label"]), "label and subtype must agree")
    _refuse(frame, (frame["magnification"] <= 0).fillna(False), "magnification must be positive or empty")
    _refuse(
        frame, ~frame["mpp"].isna() & ~frame["mpp"].between(0, _LARGEST_MPP, "right"), "mpp must be positive or empty"
    )


def _refuse(frame: pd.DataFrame, wrong: pd.Series[Any], rule: str) -> None:
    if wrong.any():
        row = frame[wrong.astype(bool)].iloc[0].to_dict()
        raise DataError(f"manifest: {rule}; {int(wrong.sum())} rows break this, the first is {row}.")
