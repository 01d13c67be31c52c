"""What a source column holds, told from its cells."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.data import index_reason
from robustae.data.values import MS_PER_DAY, dates_of, days_of, floats_of, foreign, is_level_missing

__all__ = ["Column", "LeftOut", "column_of"]

MOST_LEVELS = 50  # of a category that get a column of their own
RARE_LEVEL = 0.005  # share of the rows below which levels are pooled
COVERED = 0.5  # of the rows must hold levels that recur, else the column is text
TELLING = 20  # rows from which texts that differ in each are no accident
TEXT_PARTS = 8  # numbers that stand for a text
TRUTHS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})


class LeftOut(UserWarning):
    """Columns that a model does not use, each with the reason."""


@dataclass(frozen=True)
class Column:
    """A source column, and how it becomes numbers.

    Attributes
    ----------
    name : str
    kind : str
        "number", "boolean", "category", "date" (days since 1970), "text" (many different texts), or
        left out: "identifier", "constant", "empty", "other".
    why : str
        Why it is left out; empty where it is used.
    levels : tuple
        Values of a category or boolean as written, the commonest first.
    shares : tuple of float
        Their shares of the rows where they are not missing.
    own : int
        How many of the levels are told apart; the rarer ones are pooled.
    form : str
        How numbers and dates are written: digits after the point (0 for whole numbers), "date" or
        "datetime"; may be empty.
    trust : float
        Weight of the prediction against `shares` in the probabilities of levels.
    """

    name: str
    kind: str
    why: str = ""
    levels: tuple[Any, ...] = ()
    shares: tuple[float, ...] = ()
    own: int = 0
    form: str = ""
    trust: float = 0.9

    @property
    def graded(self) -> bool:
        """Whether it holds levels."""
        return self.kind in ("boolean", "category")

    def in_digits(self, values: np.ndarray) -> np.ndarray:
        """Return numbers with a digit more than they are written with, where that is known: as means have."""
        if self.kind != "number" or not self.form:
            return values
        return np.round(np.asarray(values, dtype=np.float64), int(self.form) + 1)

    @property
    def width(self) -> int:
        """Encoded columns: none where left out, one less than the values told apart for levels."""
        if self.why:
            return 0
        if self.kind == "text":
            return TEXT_PARTS
        return self.own - 1 + (len(self.levels) > self.own) if self.graded else 1


def column_of(name: str, values: np.ndarray, category: bool, text_usable: str) -> Column:
    """Tell the kind of a column, shape (n,).

    Parameters
    ----------
    name : str
    values : array, shape (n,)
        As `reading.plain` gives it.
    category : bool
        Whether it is said to be a category.
    text_usable : str
        Why texts cannot be used; empty where they can.
    """
    if kind := foreign(values):
        return Column(name, "other", f"of type {kind}")
    if not category and values.dtype.kind != "b":
        found = _measured(name, values)
        if found is not None:
            return found
    return _levelled(name, values, category, text_usable)


def _measured(name: str, values: np.ndarray) -> Column | None:
    """Return a column of numbers or dates, None for what is neither."""
    floats = floats_of(values)
    if floats is not None:
        return _checked(name, "number", floats, _decimals(values))
    dates = dates_of(values)
    if dates is None:
        return None
    return _checked(name, "date", days_of(dates), "date" if dates.dtype == "datetime64[D]" else "datetime")


def _checked(name: str, kind: str, numbers: np.ndarray, form: str) -> Column:
    seen = numbers[~np.isnan(numbers)]
    if not len(seen):
        return Column(name, "empty", "every cell is missing")
    if (seen == seen[0]).all():
        return Column(name, "constant", "one value only")
    why = index_reason(name, numbers if form != "datetime" else np.rint(numbers * MS_PER_DAY))
    return Column(name, "identifier", why) if why else Column(name, kind, form=form)


def _decimals(values: np.ndarray) -> str:
    """Digits after the point that texts have at most, 0 for whole numbers; empty for other arrays."""
    if values.dtype.kind != "O":
        return "0" if values.dtype.kind in "iu" else ""
    return str(
        max((len(cell.partition(".")[2].strip()) for cell in values if cell and _is_fixed(cell)), default=0)
    )


def _is_fixed(cell: str) -> bool:
    return "e" not in cell.lower() and any(sign.isdigit() for sign in cell)


def _levelled(name: str, values: np.ndarray, category: bool, text_usable: str) -> Column:
    missing = np.zeros(len(values), bool) if values.dtype.kind != "O" else is_level_missing(values)
    counts = Counter(values[~missing].tolist())
    seen = sum(counts.values())
    if len(counts) < 2:
        return Column(
            name, *(("constant", "one value only") if counts else ("empty", "every cell is missing"))
        )
    if len(counts) == len(values) >= TELLING:
        return Column(name, "identifier", "another text in every row")
    levels = tuple(sorted(counts, key=lambda level: (-counts[level], str(level))))
    often = sum(counts[level] >= max(2, math.ceil(RARE_LEVEL * seen)) for level in levels)
    own = max(1, min(often, MOST_LEVELS))
    if sum(counts[level] for level in levels[:own]) < COVERED * seen and not category:
        return Column(name, "text", text_usable and _many(levels, text_usable))
    kind = "boolean" if {str(level).strip().lower() for level in levels} in TRUTHS else "category"
    return Column(name, kind, "", levels, tuple(counts[level] / seen for level in levels), own)


def _many(levels: tuple[Any, ...], text_usable: str) -> str:
    return f"{len(levels)} different texts, as {str(levels[0])[:30]!r}; {text_usable}"
