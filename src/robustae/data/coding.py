"""One column's cells as numbers and back."""

from typing import Any

import numpy as np

from robustae.data.column_kinds import Column
from robustae.data.spelling import MS_PER_DAY, Spelling
from robustae.data.texts import parts_of
from robustae.data.values import is_level_missing, numbers_in, plain

__all__ = [
    "UNSEEN",
    "as_shown",
    "class_values",
    "classes_of",
    "decoded",
    "encoded",
    "level_codes",
    "measured",
    "spelling_of",
    "unreadable",
    "written",
]

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
    return measured(column, values)[0][:, None]


def unreadable(column: Column, values: np.ndarray) -> np.ndarray:
    """Return which cells of a column of numbers, truth values or dates are neither that nor missing; (n,)."""
    return measured(column, plain(values))[1]


def measured(column: Column, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a column as numbers, NaN where missing or unreadable, and which are unreadable; (n,) each."""
    if column.kind == "number" and values.dtype.kind == "M":
        return np.full(len(values), np.nan), ~np.isnat(values)
    if column.kind != "boolean":
        return numbers_in(values, spelling_of(column))
    codes = level_codes(column, values)
    return np.where(codes < 0, np.nan, codes), codes == UNKNOWN


def _as_objects(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return values.astype(object)
    return np.array([None if cell != cell else cell for cell in values.tolist()], dtype=object)


def level_codes(column: Column, values: np.ndarray) -> np.ndarray:
    """Return the place of each cell among the levels, -1 where missing, -2 where the fit did not meet it."""
    values = _as_objects(plain(values))
    place: dict[Any, int] = {}
    if column.kind == "boolean":
        place |= {code: code for code in range(2)}
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
    """Return which of the distinct values a place among the levels belongs to: rare ones are pooled."""
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
    if column.kind == "boolean":
        found = _levels(column)[(cells[:, 0] > 0.5).astype(int)]
        found[np.isnan(cells[:, 0])] = None
        return _truths(found)
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
    """Return decoded cells in the type and form of `like`, the cells that they replace."""
    if column.kind == "number" and like.dtype.kind in "iu":
        limits = np.iinfo(like.dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(like.dtype)
    if values.dtype.kind == "M" and like.dtype.kind == "M":
        return values.astype(like.dtype)
    if like.dtype.kind != "O" or not column.measured or column.kind == "boolean":
        return values
    return np.array([_spelt(column, *pair) for pair in zip(values, like, strict=True)], dtype=object)


def as_shown(column: Column, values: np.ndarray) -> np.ndarray:
    """Return decoded cells as people read them: in their column's digits, and in its form if not plain."""
    spelling = column.spelling
    if not column.measured or spelling is None or spelling.as_programs_write:
        return column.in_digits(values)
    return written(column, values, np.full(len(values), None, dtype=object))


def _spelt(column: Column, value: Any, like: Any) -> Any:
    """A value as its column is written; typed where the cell that it replaces is."""
    if value != value:
        return None
    if like is None or isinstance(like, str):
        return spelling_of(column).write(value)
    return value.item() if column.kind == "number" else value.astype("datetime64[us]").item()


def spelling_of(column: Column) -> Spelling:
    """How the cells of a column are written: plainly, where the fit met no texts."""
    if column.spelling is not None:
        return column.spelling
    if column.kind == "date":
        return Spelling(
            "date", order="ymd", like="2000-01-01" if column.form == "date" else "2000-01-01T00:00"
        )
    return Spelling(digits=int(column.form or 6))
