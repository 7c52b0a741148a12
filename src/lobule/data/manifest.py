"""The manifest: one validated row an image, what every later step reads instead of the folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

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
_SPECIAL = frozenset(',"\r\n')
_REQUIRED = ("image_id", "path", "label", "patient_id", "case_id")
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

    @property
    def digest(self) -> str:
        """The `dataset_sha256` of a split: the images, what they are and whose; not where they lie or their order."""
        return digest_of_json(sorted(self.frame[_DIGESTED].values.tolist()))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], *, root: Path) -> Manifest:
        """Make a manifest of rows; a column that a row lacks is empty."""
        values = [[row.get(name) for name in COLUMNS] for row in rows]
        return cls(pd.DataFrame(values, columns=list(COLUMNS), dtype=object), root)

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
        rows = zip(*(self.frame[name].map(_as_field) for name in COLUMNS), strict=True)
        write_atomically(path, "".join(",".join(row) + "\n" for row in [COLUMNS, *rows]))

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
                rows = list(csv.reader(stream, strict=True))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"manifest {path}: cannot be read ({error}); make one with `lobule data scan`.") from None
        _check_shape(path, rows)
        return cls(pd.DataFrame(rows[1:], columns=list(COLUMNS), dtype=object), root or path.parent)


def _check_shape(path: Path, rows: list[list[str]]) -> None:
    header = rows[0] if rows else []
    if tuple(header) != COLUMNS:
        raise DataError(
            f"manifest {path}: expected the columns {', '.join(COLUMNS)}; received {', '.join(header) or 'none'}."
        )
    if short := [number for number, row in enumerate(rows[1:], 2) if len(row) != len(COLUMNS)]:
        raise DataError(f"manifest {path}: row {short[0]} does not have {len(COLUMNS)} fields; is the file complete?")


def _as_field(value: Any) -> str:
    text = "" if pd.isna(value) else str(value)
    # csv.writer leaves a carriage return unquoted before Python 3.13, and could not read it back
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.intersection(text) else text


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise DataError(f"manifest: columns missing: {', '.join(missing)}; needed: {', '.join(COLUMNS)}.")
    return pd.DataFrame({name: _typed_column(frame[name]) for name in COLUMNS}).reset_index(drop=True)


def _typed_column(column: pd.Series[Any]) -> pd.Series[Any]:
    values = column.astype(object).where(column.notna(), "")
    dtype = _DTYPES.get(str(column.name))
    return _as_numbers(values, dtype) if dtype else values.map(str).astype(object)


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
