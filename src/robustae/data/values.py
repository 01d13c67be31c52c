"""The cells of one column in one of five forms: numbers, truth values, dates, texts, or other objects."""

import datetime as dt
import numbers
from typing import Any

import numpy as np

from robustae.data import RARE, is_missing, numbers_of

__all__ = ["blank", "dates_of", "days_of", "floats_of", "foreign", "is_level_missing", "plain"]

MS_PER_DAY = 86_400_000


def plain(values: np.ndarray) -> np.ndarray:
    """Give objects of one type their array: numbers, truth values, dates; else texts, None where missing."""
    if values.dtype.kind != "O":
        return values
    cells = [None if _is_null(value) else value for value in values.tolist()]
    kinds = {type(cell) for cell in cells if cell is not None}
    if not kinds or all(issubclass(kind, str) for kind in kinds):
        return np.array(cells, dtype=object)
    if all(issubclass(kind, bool) for kind in kinds):
        return _truths(cells)
    if all(issubclass(kind, numbers.Number) and not issubclass(kind, bool) for kind in kinds):
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    if all(issubclass(kind, dt.date) for kind in kinds):
        return _datetimes(cells)
    if foreign(values):
        return values
    return np.array([None if cell is None else str(cell) for cell in cells], dtype=object)


def foreign(values: np.ndarray) -> str:
    """Name a type of objects that are neither numbers, truth values, texts nor dates; empty for none."""
    if values.dtype.kind != "O":
        return ""
    kinds = {type(value) for value in values.tolist() if not _is_null(value)}
    known = (str, bool, np.bool_, numbers.Number, dt.date)
    return next((kind.__name__ for kind in kinds if not issubclass(kind, known)), "")


def _is_null(value: Any) -> bool:
    # pandas.NA answers neither yes nor no, and NaN is unequal to itself.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _truths(cells: list[Any]) -> np.ndarray:
    return np.array(cells, dtype=object if None in cells else bool)


def _datetimes(cells: list[Any]) -> np.ndarray:
    whole = not any(isinstance(cell, dt.datetime) for cell in cells)
    return np.array([_naive(cell) for cell in cells], dtype="datetime64[D]" if whole else "datetime64[us]")


def _naive(cell: Any) -> Any:
    """Zoned times are compared by the instant they name."""
    if isinstance(cell, dt.datetime) and cell.tzinfo is not None:
        return cell.astimezone(dt.UTC).replace(tzinfo=None)
    return cell


def is_level_missing(values: np.ndarray) -> np.ndarray:
    """Which cells of texts or objects are missing: none there, or a marker that says so.

    Where + occurs - is its opposite.
    """
    cells = [cell if cell is None or isinstance(cell, str) else 0 for cell in values.tolist()]
    found = set(cells)  # far fewer than cells
    signs = any(isinstance(cell, str) and cell.strip() == "+" for cell in found)
    missing = {cell for cell in found if cell is None or isinstance(cell, str) and _marker(cell, signs)}
    return np.array([cell in missing for cell in cells], dtype=bool)


def _marker(cell: str, signs: bool) -> bool:
    return is_missing(cell) and not (signs and cell.strip() == "-")


def blank(values: np.ndarray) -> np.ndarray:
    """Which cells of a column of any form are missing."""
    if values.dtype.kind == "O":
        return is_level_missing(values)
    if values.dtype.kind == "M":
        return np.isnat(values)
    return np.asarray(values != values)


def floats_of(values: np.ndarray) -> np.ndarray | None:
    """Return the numbers of a column, NaN where missing; None where more than a tenth is other text."""
    if values.dtype.kind in "iufb":
        return values.astype(np.float64)
    if values.dtype.kind != "O" or any(not isinstance(cell, str) for cell in values if cell is not None):
        return None
    cells = ["" if cell is None else cell for cell in values]
    if {cell.strip().lower() for cell in set(cells) if not is_missing(cell)} <= {"true", "false"}:
        return None
    found, slips = numbers_of(cells)
    seen = int((~np.isnan(found)).sum())
    return None if not seen or len(slips) > RARE * (seen + len(slips)) else found


def dates_of(values: np.ndarray) -> np.ndarray | None:
    """Return the dates of a column; None where any of its texts is none in ISO 8601."""
    if values.dtype.kind == "M":
        return values
    if values.dtype.kind != "O" or not len(values):
        return None
    missing = is_level_missing(values)
    if missing.all() or not all(isinstance(cell, str) for cell in values[~missing][:1]):
        return None
    try:
        cells = [None if no else _parsed(cell) for cell, no in zip(values, missing, strict=True)]
    except (ValueError, TypeError, AttributeError):
        return None
    return _datetimes(cells)


def _parsed(cell: str) -> Any:
    text = cell.strip()
    return dt.date.fromisoformat(text) if len(text) == 10 else dt.datetime.fromisoformat(text)


def days_of(dates: np.ndarray) -> np.ndarray:
    """Days since 1970, NaN where missing."""
    ms = dates.astype("datetime64[us]").astype(np.int64) / 1000
    return np.where(np.isnat(dates), np.nan, ms / MS_PER_DAY)
