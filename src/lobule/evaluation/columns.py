"""The columns of predictions.csv (order, types, what each may hold) and of history.csv."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lobule.errors import DataError
from lobule.taxonomy import LABEL_OF_SUBTYPE, LABELS, SUBTYPES, Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HISTORY_COLUMNS",
    "PREDICTION_COLUMNS",
    "PROTOCOLS",
    "VERDICTS",
    "logit_columns",
    "probability_columns",
    "round_digits",
    "tidy",
    "typed",
]

PROTOCOLS: Final = ("holdout", "folds", "predict")
VERDICTS: Final = (*LABELS, "uncertain", "not assessable")

_LOGITS: Final[dict[Task, tuple[str, ...]]] = {
    "binary": ("logit_malignant",),
    "subtype": tuple(f"logit_{name}" for name in SUBTYPES),
}
_PROBABILITIES: Final[dict[Task, tuple[str, ...]]] = {
    "binary": ("prob_malignant",),
    "subtype": tuple(f"prob_{name}" for name in SUBTYPES),
}
PREDICTION_COLUMNS: Final = (
    *("image_id", "path", "pixel_sha256", "case_id", "patient_id", "magnification", "label", "subtype"),
    *("protocol", "fold", *_LOGITS["binary"], *_PROBABILITIES["binary"], *_LOGITS["subtype"]),
    *(*_PROBABILITIES["subtype"], "pred_label", "pred_subtype", "label_set", "novelty", "verdict", "reason"),
    "model_id",
)
"""The header of predictions.csv."""

HISTORY_COLUMNS: Final = (
    *("task", "protocol", "fold", "epoch"),
    *("train_loss", "validation_loss", "train_accuracy", "validation_accuracy"),
)
"""The header of history.csv."""

_DIGITS: Final = 9
_EXACT_POWER: Final = 22
_POWERS: Final = np.array([10.0**power for power in range(_EXACT_POWER + 1)])
_DOUBT: Final = 10.0 ** (_DIGITS + 1) * float(np.finfo(np.longdouble).eps)
"""How near to a half is too near: ten times what a product of nine digits in extended precision can be off."""

_ROUNDED_AT_ONCE: Final = 32_768
"""Rounding takes a dozen arrays of its size, half of them in extended precision: of few numbers, they stay small."""

_WHOLE: Final = ("magnification", "fold")
_SMALLEST: Final = {"magnification": 1, "fold": 0}
_REAL: Final = tuple(name for name in PREDICTION_COLUMNS if name.startswith(("logit_", "prob_")) or name == "novelty")
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "label": ("", *LABELS),
    "subtype": ("", *SUBTYPES),
    "protocol": PROTOCOLS,
    "pred_label": ("", *LABELS),
    "pred_subtype": ("", *SUBTYPES),
    "verdict": ("", *VERDICTS),
}


def logit_columns(task: Task) -> tuple[str, ...]:
    """Return the names of a task's logit columns: one (`malignant`), or one a subtype."""
    return _LOGITS[task]


def probability_columns(task: Task) -> tuple[str, ...]:
    """Return the names of a task's probability columns, in the order of its logit columns."""
    return _PROBABILITIES[task]


def round_digits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers (any shape) as a file with nine significant digits gives them back."""
    flat = np.array(values, dtype=np.float64).ravel()
    for start in range(0, len(flat), _ROUNDED_AT_ONCE):
        _round_in_place(flat[start : start + _ROUNDED_AT_ONCE])
    return flat.reshape(np.shape(values))


def _round_in_place(flat: NDArray[np.float64]) -> None:
    left = np.flatnonzero(~_are_round(flat))
    rounded, sure = _rounded(flat[left])
    unsure = left[~sure]
    flat[left] = rounded
    flat[unsure] = [float(f"{value:.9g}") for value in flat[unsure].tolist()]


def _are_round(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which numbers have nine digits already: most, as they come from a file or were rounded before."""
    with np.errstate(all="ignore"):
        exponent, power = _powers(values)
        whole = np.rint(np.where(exponent >= 0, values * power, values / power))
        same = np.where(exponent >= 0, whole / power, whole * power) == values
    return np.asarray((same & _has_nine_digits(whole)) | (values == 0) | np.isnan(values), dtype=bool)


def _rounded(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Round to nine digits by arithmetic; return the numbers, and where they are sure to be those of the text.

    A number is a whole number of nine digits times a power of ten. That whole number comes from a product in extended
    precision, and is sure unless the product lies nearly half-way between two; the power (up to 22) and the whole
    number are exact in binary, so that one division, or one product, gives the nearest double, as reading a text does.
    """
    with np.errstate(all="ignore"):
        exponent, power = _powers(values)
        extended = values.astype(np.longdouble)
        scaled = np.where(exponent >= 0, extended * power, extended / power)
        whole = np.rint(scaled)
        sure = (np.abs(np.abs(scaled - whole) - 0.5) > _DOUBT) & _has_nine_digits(whole)
        exact = whole.astype(np.float64)
        rounded = np.where(exponent >= 0, exact / power, exact * power)
    return np.where(sure, rounded, values), np.asarray(sure, dtype=bool)


def _powers(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by which power of ten each number has nine digits before the point, and it; NaN where it is not exact."""
    exponent = _DIGITS - 1 - np.floor(np.log10(np.abs(values)))
    known = np.abs(exponent) <= _EXACT_POWER
    return exponent, np.where(known, _POWERS[np.where(known, np.abs(exponent), 0).astype(np.intp)], np.nan)


def _has_nine_digits(whole: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(whole) >= 10.0 ** (_DIGITS - 1)) & (np.abs(whole) <= 10.0**_DIGITS), dtype=bool)


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with exactly `PREDICTION_COLUMNS`, typed, rounded to nine digits and checked.

    Text is empty ("") where unknown, `magnification` and `fold` are nullable integers, other numbers are
    float64 with NaN where unknown.

    Raises:
        DataError: a column is missing, or a cell holds what its column does not allow.
    """
    import pandas as pd

    if missing := [name for name in PREDICTION_COLUMNS if name not in frame.columns]:
        raise DataError(
            f"predictions: missing columns {', '.join(missing)}; needed are {', '.join(PREDICTION_COLUMNS)}"
        )
    tidied = pd.DataFrame({name: _typed(frame, name) for name in PREDICTION_COLUMNS}, copy=False)
    _check(tidied)
    return tidied


def typed(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return what `tidy` would of columns that are known to hold what each allows; twenty times as quickly.

    Args:
        columns: by every name of `PREDICTION_COLUMNS`; None or NaN where a number is unknown.
    """
    import pandas as pd

    def of(name: str) -> Any:
        if name in _WHOLE:
            known = [value is not None for value in columns[name]]
            values = np.array([value or 0 for value in columns[name]], dtype=np.int64)
            return pd.arrays.IntegerArray(values, ~np.array(known, dtype=bool))
        if name in _REAL:
            return round_digits(np.asarray(columns[name], dtype=np.float64))
        return np.array(columns[name], dtype=object)

    return pd.DataFrame({name: of(name) for name in PREDICTION_COLUMNS})


def _typed(frame: pd.DataFrame, name: str) -> Any:
    import pandas as pd

    column = frame[name]
    if name in _WHOLE:
        return _whole_numbers(column, name)
    if name in _REAL:
        return round_digits(_numbers(column, name))
    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("").array
    text = np.empty(len(column), dtype=object)
    # Cell by cell, so that a string stays the object that it is: of a million rows, copies would take a gigabyte.
    text[:] = [
        str(cell) if known else ""
        for cell, known in zip(column.to_numpy(dtype=object), column.notna().to_numpy(), strict=True)
    ]
    return text


def _numbers(column: pd.Series[Any], name: str) -> NDArray[np.float64]:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        cells = column.astype(object).tolist()
        values = np.array([_number(cell, name, row) for row, cell in enumerate(cells)], dtype=np.float64)
    _refuse(np.isinf(values), name, column, "a finite number, or nothing")
    return values


def _number(cell: object, name: str, row: int) -> float:
    import pandas as pd

    text = "" if cell is None or cell is pd.NA else str(cell).strip()
    try:
        return float(text) if text else float("nan")
    except ValueError:
        raise DataError(_message(name, row, cell, "a number, or nothing")) from None


def _whole_numbers(column: pd.Series[Any], name: str) -> Any:
    import pandas as pd

    values = _numbers(column, name)
    known = ~np.isnan(values)
    smallest = _SMALLEST[name]
    wrong = known & ~((values >= smallest) & (values < 2**31) & (values == np.floor(values)))
    _refuse(wrong, name, column, f"a whole number of at least {smallest}, or nothing")
    return pd.arrays.IntegerArray(np.where(known, values, 0).astype(np.int64), ~known)


def _check(frame: pd.DataFrame) -> None:
    _refuse(frame["image_id"].eq("").to_numpy(), "image_id", frame["image_id"], "a name that is not empty")
    for name, allowed in _CHOICES.items():
        _check_choice(frame, name, allowed)
    _check_agreement(frame)
    for name in (*_PROBABILITIES["binary"], *_PROBABILITIES["subtype"]):
        values = frame[name].to_numpy()
        _refuse((values < 0) | (values > 1), name, frame[name], "a probability between 0 and 1")
    for columns in (_LOGITS["subtype"], _PROBABILITIES["subtype"]):
        known = frame[list(columns)].notna().sum(axis=1)
        wrong = ((known != 0) & (known != len(columns))).to_numpy()
        _refuse(wrong, f"{columns[0]} to {columns[-1]}", known, "all eight filled, or all eight empty")
    _check_each(frame, "label_set", lambda cell: not cell or set(cell.split("|")) <= {*LABELS, *SUBTYPES})
    repeated = frame.duplicated(["protocol", "image_id"]).to_numpy()
    _refuse(repeated, "image_id", frame["image_id"], "an image only once in each protocol")


def _check_choice(frame: pd.DataFrame, name: str, allowed: Collection[str]) -> None:
    shown = ", ".join(choice if choice else repr(choice) for choice in allowed)
    _refuse(~frame[name].isin(list(allowed)).to_numpy(), name, frame[name], f"one of {shown}")


def _check_agreement(frame: pd.DataFrame) -> None:
    implied = frame["subtype"].map(LABEL_OF_SUBTYPE)
    wrong = (implied.notna() & (implied != frame["label"])).to_numpy(dtype=bool)
    _refuse(wrong, "subtype", frame["subtype"], "a subtype of the row's label")


def _check_each(frame: pd.DataFrame, name: str, allowed: Callable[[str], bool]) -> None:
    wrong = [cell for cell in frame[name].unique().tolist() if not allowed(cell)]
    _refuse(frame[name].isin(wrong).to_numpy(), name, frame[name], 'class names joined by "|", or nothing')


def _refuse(wrong: NDArray[np.bool_], name: str, column: pd.Series[Any], allowed: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        [received] = column.iloc[[row]].tolist()
        raise DataError(_message(name, row, received, allowed, more=int(wrong.sum()) - 1))


def _message(name: str, row: int, received: object, allowed: str, *, more: int = 0) -> str:
    others = f" (and {more} more rows)" if more else ""
    return (
        f"predictions: column {name}, row {row + 1}{others}: received {received!r}, allowed is {allowed}; "
        "correct the file and repeat"
    )
