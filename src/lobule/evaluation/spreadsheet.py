"""Reads a CSV as people and their spreadsheet programs write it: separators, decimal commas, capitals, empty lines."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import pandas as pd

from lobule.data.breakhis import IMAGE_EXTENSIONS, BreakHisName, parse_name
from lobule.errors import DataError
from lobule.evaluation.columns import PREDICTION_COLUMNS
from lobule.taxonomy import LABEL_OF_SUBTYPE, SUBTYPE_OF_CODE

__all__ = ["read_spreadsheet"]

_NEEDED: Final = ("image_id", "case_id", "label")
_SEPARATORS: Final = (",", ";", "\t")
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_ALSO_CALLED: Final = {
    "image": "image_id",
    "file": "image_id",
    "filename": "image_id",
    "file_name": "image_id",
    "case": "case_id",
    "patient": "patient_id",
    "p_malignant": "prob_malignant",
    "malignant": "prob_malignant",
    "probability_malignant": "prob_malignant",
    "probability": "prob_malignant",
}
_NUMBERS: Final = {name for name in PREDICTION_COLUMNS if name.startswith(("prob_", "logit_")) or name == "novelty"}
_CLASS_COLUMNS: Final = ("label", "subtype", "pred_label", "pred_subtype")
_TOLD_BY_NAMES: Final = ("case_id", "patient_id", "label", "subtype", "magnification")
_DECIMAL_COMMA: Final = re.compile(r"^([-+]?\d+),(\d+)((?:[eE][-+]?\d+)?)$")


def read_spreadsheet(path: Path) -> pd.DataFrame:
    """Read a table of predictions as text, with the columns and cells that `Predictions` expects.

    Separators may be commas, semicolons or tabs, numbers may have decimal commas; the file may be
    UTF-8, UTF-16 or Windows-1252. Headers and class names may have capitals and spaces; a few other headers are
    understood (`file` for `image_id`, `case`, `patient`, `probability`). Empty rows are dropped. Where all images have
    BreakHis names, what is missing of case, patient, label, subtype and magnification is read from them.

    A file that Lobule wrote is read as it is.

    Returns:
        Those columns of `PREDICTION_COLUMNS` that are there, all text.

    Raises:
        DataError: the file is no table, or lacks a column that scoring needs; the message says which.
    """
    text = _text(path)
    if text.partition("\n")[0] == ",".join(PREDICTION_COLUMNS):
        return _parsed(text, ",", path)
    frame = _normalised(_table(text, path), path)
    named = _told_by_names(frame)
    if "label" in frame.columns and "subtype" in named:
        agrees = [LABEL_OF_SUBTYPE.get(name) for name in named["subtype"]] == frame["label"].to_numpy(dtype=object)
        named["subtype"] = np.where(agrees, named["subtype"], "").tolist()
    frame = frame.assign(**{name: named[name] for name in named if name not in frame.columns})
    require_scorable(frame, path)
    _check_percent(frame, path)
    return frame[[name for name in PREDICTION_COLUMNS if name in frame.columns]]


def require_scorable(frame: pd.DataFrame, path: Path) -> None:
    """Refuse a table that lacks what scoring needs.

    Raises:
        DataError: it lacks a column; the message says which.
    """
    if missing := [name for name in _NEEDED if name not in frame.columns]:
        raise DataError(
            f"predictions: {path} lacks the columns {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}. "
            "Add them: image_id (a name), case_id (images of one case are not independent; the image_id again if every "
            "image is a case of its own), label (benign or malignant)"
        )
    if not {"prob_malignant", "logit_malignant"} & set(frame.columns):
        raise DataError(
            f"predictions: {path} needs a column prob_malignant (0 to 1) or logit_malignant; it has "
            f"{', '.join(map(str, frame.columns))}. Predicted labels alone cannot be scored; a probability of benign "
            "is 1 minus that of malignant"
        )


def _table(text: str, path: Path) -> pd.DataFrame:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first, _, rest = text.partition("\n")
    if re.fullmatch(r'"?sep=.?"?\s*', first):
        text = rest
    header = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=header.count)
    frame = _parsed(text, separator, path).map(str.strip)
    return frame[(frame != "").any(axis=1)].reset_index(drop=True)


def _parsed(text: str, separator: str, path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(StringIO(text), sep=separator, dtype=str, keep_default_na=False, index_col=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise DataError(f"predictions: {path} cannot be read as a CSV file: {error}") from error


def _check_percent(frame: pd.DataFrame, path: Path) -> None:
    for name in _NUMBERS & set(frame.columns):
        values = pd.to_numeric(frame[name], errors="coerce")
        beyond = name.startswith("prob_") and bool(((values > 1) & (values <= 100)).any())
        if beyond or frame[name].str.endswith("%").any():
            raise DataError(f"predictions: {path}: column {name} seems to be in percent; divide it by 100")


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"predictions: {path} cannot be read: {error.strerror}") from error
    if content.startswith(_WORKBOOKS):
        raise DataError(
            f"predictions: {path} is a workbook, not a CSV file; save the sheet as CSV (UTF-8) and name that"
        )
    if b"\x00" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"predictions: {path} cannot be read as a CSV file: it holds bytes that are no text")
    encodings = ("utf-16",) if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"predictions: {path} cannot be read as text; save it as CSV (UTF-8)")


def _normalised(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    names = [re.sub(r"[\s\-]+", "_", str(name).strip().lower()) for name in frame.columns]
    names = [_ALSO_CALLED[name] if name in _ALSO_CALLED and _ALSO_CALLED[name] not in names else name for name in names]
    if twice := sorted({name for name in names if names.count(name) > 1 and name in PREDICTION_COLUMNS}):
        raise DataError(f"predictions: {path} has several columns that mean {', '.join(twice)}; leave one of each")
    frame = frame.set_axis(names, axis=1)
    for name in _NUMBERS & set(names):
        frame[name] = frame[name].str.replace(_DECIMAL_COMMA, r"\1.\2\3", regex=True)
    for name in _CLASS_COLUMNS:
        if name in frame.columns:
            frame[name] = frame[name].replace(SUBTYPE_OF_CODE) if name.endswith("subtype") else frame[name]
            frame[name] = frame[name].str.lower().str.replace(r"[\s\-]+", "_", regex=True)
    if "magnification" in frame.columns:
        frame["magnification"] = frame["magnification"].str.removesuffix("X").str.removesuffix("x")
    return frame


def _told_by_names(frame: pd.DataFrame) -> dict[str, list[str]]:
    """Return what BreakHis file names tell; nothing unless all of them follow the grammar."""
    column = next((name for name in ("path", "image_id") if name in frame.columns), None)
    if column is None or not len(frame):
        return {}
    parsed = [_parse(cell) for cell in frame[column].tolist()]
    if any(name is None for name in parsed):
        return {}
    told = {name: [str(getattr(known, name)) for known in parsed] for name in _TOLD_BY_NAMES}
    return {**told, "image_id": [known.image_id for known in parsed if known]}


def _parse(cell: str) -> BreakHisName | None:
    name = PurePosixPath(cell.replace("\\", "/")).name
    return parse_name(name if PurePosixPath(name).suffix.lower() in IMAGE_EXTENSIONS else f"{name}.png")
