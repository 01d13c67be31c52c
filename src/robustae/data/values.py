"""The cells of one column in one of five forms: numbers, truth values, dates, texts, or other objects."""

import datetime as dt
import numbers
from typing import Any

import numpy as np

from robustae.data.cells import is_missing
from robustae.data.dates import hours_in
from robustae.data.spelling import MS_PER_DAY, Spelling, in_utc

__all__ = ["blank", "days_of", "foreign", "hours_of", "is_level_missing", "is_text", "numbers_in", "plain"]

_HOUR = np.timedelta64(1, "h")


def plain(values: np.ndarray) -> np.ndarray:
    """Give cells of one type their array (numbers, truth values, dates, hours), others one of objects."""
    if values.dtype.kind == "m":
        return hours_of(values)
    if values.dtype.kind in "US":
        return values.astype(str).astype(object)
    if values.dtype.kind != "O":
        return values
    cells = [value if type(value) is str or not _is_null(value) else None for value in values.tolist()]
    kinds = {type(cell) for cell in cells if cell is not None}
    whole = _of_one_kind(cells, kinds)
    return _objects(cells) if whole is None else whole


def _of_one_kind(cells: list[Any], kinds: set[type]) -> np.ndarray | None:
    def all_are(kind: Any) -> bool:
        return bool(kinds) and all(issubclass(one, kind) for one in kinds)

    if all_are((bool, np.bool_)):
        return _objects(cells) if None in cells else np.array(cells, dtype=bool)
    if all_are(numbers.Number) and not kinds & {bool, np.bool_, complex}:
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    if all_are(dt.date):
        return _datetimes(cells)
    if all_are((dt.timedelta, dt.time)):
        return np.array([_hours(cell) for cell in cells])
    return None


def _objects(cells: list[Any]) -> np.ndarray:
    out = np.empty(len(cells), dtype=object)
    out[:] = cells
    return out


def _hours(cell: Any) -> float:
    if cell is None:
        return np.nan
    found = cell.total_seconds() / 3600 if isinstance(cell, dt.timedelta) else hours_in(cell.isoformat())
    return np.nan if found is None else found


def is_text(values: np.ndarray) -> bool:
    """Whether cells, as `plain` gives them, hold texts."""
    return values.dtype.kind == "O" and any(isinstance(cell, str) for cell in values)


def foreign(values: np.ndarray) -> str:
    """Name a type of objects that are neither numbers, truth values, texts nor dates; empty for none."""
    if values.dtype.kind != "O":
        return "complex" if values.dtype.kind == "c" else ""
    known = (str, bool, np.bool_, numbers.Real, dt.date, dt.time, dt.timedelta)
    kinds = {type(value) for value in values.tolist() if type(value) is not str and not _is_null(value)}
    return next((kind.__name__ for kind in kinds if not _is_known(kind, known)), "")


def _is_known(kind: type, known: tuple[type, ...]) -> bool:
    return (
        issubclass(kind, known) or issubclass(kind, numbers.Number) and not issubclass(kind, numbers.Complex)
    )


def _is_null(value: Any) -> bool:
    # pandas.NA answers neither yes nor no, and NaN is unequal to itself.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


def _datetimes(cells: list[Any]) -> np.ndarray:
    whole = not any(isinstance(cell, dt.datetime) for cell in cells)
    naive = [cell if cell is None or whole else in_utc(cell) for cell in cells]
    return np.array(naive, dtype="datetime64[D]" if whole else "datetime64[us]")


def is_level_missing(values: np.ndarray) -> np.ndarray:
    """Which cells of texts or objects are missing: none there, or a marker of it.

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


def numbers_in(values: np.ndarray, spelling: Spelling) -> tuple[np.ndarray, np.ndarray]:
    """Return a column as numbers (dates in days), NaN where missing, and which cells are unreadable."""
    if values.dtype.kind == "M":
        return days_of(values), np.zeros(len(values), bool)
    if values.dtype.kind in "iufb":
        return values.astype(np.float64), np.zeros(len(values), bool)
    return spelling.floats(values.tolist())


def hours_of(lengths: np.ndarray) -> np.ndarray:
    """Lengths of time in hours, NaN where missing."""
    return np.where(np.isnat(lengths), np.nan, lengths / _HOUR)


def days_of(dates: np.ndarray) -> np.ndarray:
    """Days since 1970, NaN where missing."""
    ms = dates.astype("datetime64[us]").astype(np.int64) / 1000
    return np.where(np.isnat(dates), np.nan, ms / MS_PER_DAY)
