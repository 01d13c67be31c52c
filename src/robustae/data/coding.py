"""One column's cells as numbers and back."""

import datetime as dt
from typing import Any

import numpy as np

from robustae.data import numbers_of
from robustae.data.column_kinds import Column
from robustae.data.texts import parts_of
from robustae.data.values import MS_PER_DAY, dates_of, days_of, is_level_missing, plain

__all__ = ["UNSEEN", "classes_of", "decoded", "encoded", "level_codes", "written"]

UNSEEN = -3.0  # in every column of a category whose level the fit did not meet: on the far side of all levels
NO_LEVEL, UNKNOWN = -1, -2
_TRUTHS: dict[str, tuple[Any, ...]] = {  # one truth value, as files and frames spell it
    "true": (True, "True", "true", "TRUE"),
    "false": (False, "False", "false", "FALSE"),
}


def encoded(column: Column, values: np.ndarray) -> np.ndarray:
    """Return the cells of a used column as numbers, NaN where missing, shape (n, width)."""
    values = plain(values)
    if column.kind == "text":
        return parts_of(_as_objects(values))
    if column.graded:
        return _one_hot(column, level_codes(column, values))
    return (_dates(values) if column.kind == "date" else _numbers(values))[:, None]


def _numbers(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "O":
        return values.astype(np.float64)
    return numbers_of(["" if cell is None else str(cell) for cell in values])[0]


def _dates(values: np.ndarray) -> np.ndarray:
    dates = dates_of(values)
    return days_of(dates) if dates is not None else np.array([_day(cell) for cell in values])


def _day(cell: Any) -> float:
    """A cell that is no date is missing."""
    dates = dates_of(np.array([cell], dtype=object)) if isinstance(cell, str) else None
    return np.nan if dates is None else float(days_of(dates)[0])


def _as_objects(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return values.astype(object)
    return np.array([None if cell != cell else cell for cell in values.tolist()], dtype=object)


def level_codes(column: Column, values: np.ndarray) -> np.ndarray:
    """Return the place of each cell among the levels, -1 where missing, -2 where the fit did not meet it."""
    values = _as_objects(plain(values))
    place: dict[Any, int] = {}
    for code, level in enumerate(column.levels):
        place |= dict.fromkeys(_TRUTHS.get(str(level).lower(), ()), code)
    place |= {level: code for code, level in enumerate(column.levels)}
    codes = np.array([_place(place, cell) for cell in values.tolist()], dtype=np.intp)
    codes[is_level_missing(values) & (codes == UNKNOWN)] = NO_LEVEL
    return codes


def _place(place: dict[Any, int], cell: Any) -> int:
    """A file without texts gives 1.0 and true where another one gave '1' and 'True'."""
    if cell in place:
        return place[cell]
    text = str(cell)
    return place.get(text, place.get(text.removesuffix(".0"), UNKNOWN))


def classes_of(column: Column, codes: np.ndarray) -> np.ndarray:
    """Return which of the values told apart a place among the levels belongs to: rare ones are pooled."""
    return np.minimum(codes, column.own)


def _one_hot(column: Column, codes: np.ndarray) -> np.ndarray:
    """The commonest level is 0 in all columns, every other class is 1 in its own."""
    cells = (classes_of(column, codes)[:, None] == np.arange(1, column.width + 1)).astype(np.float64)
    cells[codes == NO_LEVEL] = np.nan
    cells[codes == UNKNOWN] = UNSEEN
    return cells


def class_values(cells: np.ndarray) -> np.ndarray:
    """Return the predicted value of every class, shape (n, width + 1): they add up to 1."""
    return np.column_stack([1 - cells.sum(1), cells])


def decoded(column: Column, cells: np.ndarray) -> np.ndarray:
    """Return numbers, dates, or for levels the one of the largest value; None for a column left out."""
    if column.why or column.kind == "text":
        return np.full(len(cells), None, dtype=object)
    if column.graded:
        values = class_values(cells)
        found = _levels(column)[values.argmax(1)]
        found[np.isnan(values).any(1)] = None
        return _truths(found)
    return cells[:, 0] if column.kind == "number" else _from_days(cells[:, 0], column.form)


def _levels(column: Column) -> np.ndarray:
    levels = np.empty(len(column.levels), dtype=object)
    levels[:] = column.levels
    return levels


def _truths(levels: np.ndarray) -> np.ndarray:
    return levels.astype(bool) if all(isinstance(level, bool) for level in levels) and len(levels) else levels


def _from_days(days: np.ndarray, form: str) -> np.ndarray:
    unit = 1 if form == "date" else MS_PER_DAY
    whole = np.where(np.isnan(days), 0, np.clip(np.rint(days * unit), -(2.0**61), 2.0**61)).astype(np.int64)
    dates = whole.astype("datetime64[D]" if form == "date" else "datetime64[ms]")
    dates[np.isnan(days)] = np.datetime64("NaT")
    return dates


def written(column: Column, values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return decoded cells in the type and form of `like`, the column that came in."""
    if column.kind == "number" and like.dtype.kind in "iu":
        limits = np.iinfo(like.dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(like.dtype)
    if values.dtype.kind == "M" and like.dtype.kind == "M":
        return values.astype(like.dtype)
    if like.dtype.kind != "O" or column.graded:
        return values
    return np.array([_spelt(column.form, value) for value in values.tolist()], dtype=object)


def _spelt(form: str, value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.{int(form or 6)}f}"
    return value.isoformat() if isinstance(value, (dt.date, dt.datetime)) else value
