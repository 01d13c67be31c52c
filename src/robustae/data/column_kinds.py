"""What a source column holds, decided from its cells."""

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from robustae.data.deciding import unsettled
from robustae.data.identifiers import index_reason
from robustae.data.spelling import MS_PER_DAY, Spelling
from robustae.data.values import blank, foreign, is_level_missing, numbers_in

__all__ = ["Column", "LeftOut", "as_measured", "column_of"]

MOST_LEVELS = 50  # of a category that get a column of their own
RARE_LEVEL = 0.005  # share of the rows below which levels are pooled
COVERED = 0.5  # of the rows must hold levels that recur, else the column is text
FEW_ROWS = 20  # rows from which texts that differ in each are no accident
CODES = "codes"
RARE_LEVELS = "(a rare one of the {})"  # where levels are not to be told
WHY = {  # why columns are left out, in words that hold no cell
    "identifier": "an identifier",
    "constant": "one value only",
    "empty": "every cell is missing",
    "text": "many different texts",
    "other": "of no kind that is used",
}
TEXT_PARTS = 8  # numbers that stand for a text
# Words for 0 and 1, in this order.
TRUTHS = (
    ("false", "true"),
    ("no", "yes"),
    ("f", "t"),
    ("n", "y"),
    ("nein", "ja"),
    ("non", "oui"),
    ("off", "on"),
    ("no", "sí"),
    ("no", "si"),
    ("no", "sì"),
    ("não", "sim"),
    ("n", "j"),
    ("nie", "tak"),
    ("ne", "ano"),
    ("nej", "ja"),
    ("nee", "ja"),
    ("нет", "да"),
    ("hayır", "evet"),
    ("falsch", "wahr"),
    ("faux", "vrai"),
    ("falso", "verdadero"),
    ("falso", "verdadeiro"),
    ("falso", "vero"),
    ("否", "是"),
    ("✗", "✓"),
    ("✘", "✔"),
)


class LeftOut(UserWarning):
    """Columns that a model does not use, each with the reason."""


@dataclass(frozen=True)
class Column:
    """A source column, and how it becomes numbers.

    Attributes
    ----------
    name : str
    kind : str
        "number" (times in hours), "boolean" (0 and 1), "category", "date" (days since 1970), "text" (many
        different texts), or left out: "identifier", "constant", "empty", "other".
    why : str
        Why it is left out; empty where it is used.
    levels : tuple
        Values of a category as written, the commonest first; of a boolean that of 0 and that of 1.
    shares : tuple of float
        Their shares of the rows where they are not missing.
    own : int
        How many of the levels of a category have columns of their own; the rarer ones share one.
    form : str
        How numbers and dates are written: digits after the point (0 for whole numbers), "date" or
        "datetime"; "codes" of categories of digits that mean no amount; may be empty.
    unseen : float
        Share of the rows that hold a level of their own: as many of other rows will hold one never met
        (Good 1953).
    spelling : Spelling or None
        How the cells are written, where the fit met texts.
    """

    name: str
    kind: str
    why: str = ""
    levels: tuple[Any, ...] = ()
    shares: tuple[float, ...] = ()
    own: int = 0
    form: str = ""
    unseen: float = 0.0
    spelling: Spelling | None = None

    @property
    def graded(self) -> bool:
        """Whether it holds levels."""
        return self.kind == "category"

    @property
    def measured(self) -> bool:
        """Whether it is one column of numbers."""
        return self.kind in ("number", "boolean", "date")

    @property
    def taken_for(self) -> str:
        """What it was taken for, in words."""
        form = self.spelling.form if self.spelling else self.form * (self.form == CODES)
        return f"{self.kind} ({form})" if form else self.kind

    @property
    def kind_of_values(self) -> str:
        """What its values are, used or not, where they are numbers or dates."""
        return "date" if self.form in ("date", "datetime") else "number"

    def in_digits(self, values: np.ndarray) -> np.ndarray:
        """Return numbers with a digit more than they are written with, where that is known: as means have."""
        if self.kind != "number" or not self.form:
            return values
        return np.round(np.asarray(values, dtype=np.float64), int(self.form) + 1)

    @property
    def width(self) -> int:
        """Encoded columns: none where left out, one less than the distinct values for levels."""
        if self.why:
            return 0
        if self.kind == "text":
            return TEXT_PARTS
        return self.own - 1 + (len(self.levels) > self.own) if self.graded else 1

    def without_cells(self) -> "Column":
        """Return it with rare levels as one of no name, and without cells as examples."""
        spelling = None if self.spelling is None else self.spelling.without_cells()
        if not self.graded:
            levels = () if self.why else self.levels
            return replace(self, levels=levels, why=self.why and WHY[self.kind], spelling=spelling)
        alone = self.own == 1 and self.unseen > 0 and self.shares[0] == self.shares[-1]
        first = (RARE_LEVELS.format("commonest"),) if alone else self.levels[: self.own]
        rest = (RARE_LEVELS.format("others"),) * (len(self.levels) > self.own)
        shares = (*self.shares[: self.own], *(sum(self.shares[self.own :]) for _ in rest))
        return replace(self, levels=first + rest, shares=shares, spelling=spelling)


def column_of(
    name: str, values: np.ndarray, category: bool, text_usable: str, spelling: Spelling | None = None
) -> Column:
    """Tell the kind of a column, shape (n,).

    Parameters
    ----------
    name : str
    values : array, shape (n,)
        As `values.plain` gives it.
    category : bool
        Whether it is given as a category.
    text_usable : str
        Why texts cannot be used; empty where they can.
    spelling : Spelling, optional
        How its texts are written, where they are numbers or dates.
    """
    if kind := foreign(values):
        return Column(name, "other", f"of type {kind}")
    if category:
        return _levelled(name, values, category, text_usable)
    truths = _truths(name, values)
    if truths is not None:
        return truths
    if values.dtype.kind != "O" or spelling is not None:
        return _measured(name, values, spelling)
    return _levelled(name, values, category, text_usable)


def _truths(name: str, values: np.ndarray) -> Column | None:
    """A column of two truth values in words or as such; None for what is anything else."""
    if values.dtype.kind not in "bO":
        return None
    cells = set(values.tolist() if values.dtype.kind == "b" else values[~is_level_missing(values)].tolist())
    words = {str(cell).strip().lower(): cell for cell in cells if isinstance(cell, (str, bool))}
    pair = next((pair for pair in TRUTHS if len(words) == len(cells) == 2 and {*words} == {*pair}), None)
    return (
        None if pair is None else Column(name, "boolean", "", tuple(words[word] for word in pair), form="0")
    )


def as_measured(name: str, values: np.ndarray, spelling: Spelling | None) -> Column | None:
    """A column of numbers, truth values or dates, constant ones and row numbers too; None for text."""
    truths = _truths(name, values)
    if truths is not None or values.dtype.kind == "O" and spelling is None and not blank(values).all():
        return truths
    found = _measured(name, values, spelling)
    dated = values.dtype.kind == "M" or spelling is not None and spelling.kind == "date"
    return replace(found, kind="date" if dated else "number", why="")


def _measured(name: str, values: np.ndarray, spelling: Spelling | None) -> Column:
    """A column of numbers or dates."""
    numbers, _ = numbers_in(values, spelling or Spelling())
    present = numbers[~np.isnan(numbers)]
    if not len(present):
        return Column(name, "empty", "every cell is missing")
    is_date = values.dtype.kind == "M" or spelling is not None and spelling.kind == "date"
    form = _date_form(values, spelling, present) if is_date else _digits(values, spelling)
    if (present == present[0]).all():
        return Column(name, "constant", "one value only", form=form, spelling=spelling)
    why = index_reason(name, numbers if form != "datetime" else np.rint(numbers * MS_PER_DAY))
    if why:
        return Column(name, "identifier", why, form=form, spelling=spelling)
    return Column(name, "date" if is_date else "number", form=form, spelling=spelling)


def _date_form(values: np.ndarray, spelling: Spelling | None, days: np.ndarray) -> str:
    whole = values.dtype == "datetime64[D]" or spelling is not None and ":" not in spelling.like
    return "date" if whole and (days == np.floor(days)).all() else "datetime"


def _digits(values: np.ndarray, spelling: Spelling | None) -> str:
    """Digits after the decimal mark that texts have at most, 0 for whole numbers; empty for other arrays."""
    if spelling is None:
        return "0" if values.dtype.kind in "iu" else ""
    return str(spelling.digits) if spelling.kind == "number" and not spelling.mixed else ""


def _levelled(name: str, values: np.ndarray, category: bool, text_usable: str) -> Column:
    missing = blank(values)
    cells = values[~missing].tolist()
    if len({type(cell) for cell in cells}) > 1:
        cells = [str(cell) for cell in cells]
    counts = Counter(cells)
    present = sum(counts.values())
    if not counts:
        return Column(name, "empty", "every cell is missing")
    if len(counts) < 2:
        return Column(name, "constant", f"one value only{_beside(missing, counts)}", tuple(counts))
    form = CODES if all(isinstance(cell, str) and cell.strip().isdecimal() for cell in counts) else ""
    if len(counts) == len(values) >= FEW_ROWS:
        why = "" if category else unsettled(counts)
        return Column(name, "other" if why else "identifier", why or _of_its_own(cells[0], form))
    levels = tuple(sorted(counts, key=lambda level: (-counts[level], str(level))))
    often = sum(counts[level] >= max(2, math.ceil(RARE_LEVEL * present)) for level in levels)
    own = max(1, min(often, MOST_LEVELS))
    if sum(counts[level] for level in levels[:own]) < COVERED * present and not category:
        if why := unsettled(counts):
            return Column(name, "other", why)
        return Column(name, "text", text_usable and _many(levels, text_usable), form=form)
    shares = tuple(counts[level] / present for level in levels)
    unseen = sum(count == 1 for count in counts.values()) / present
    return Column(name, "category", "", levels, shares, own, form, unseen)


def _of_its_own(cell: Any, form: str) -> str:
    digits = "; digits that are no amount (--types reads them as numbers)" if form == CODES else ""
    return f"another text in every row, as {str(cell)[:20]!r}{digits}"


def _beside(missing: np.ndarray, counts: Counter[Any]) -> str:
    return (
        f" ({str(next(iter(counts)))[:20]!r}, and missing in {missing.mean():.0%})" if missing.any() else ""
    )


def _many(levels: tuple[Any, ...], text_usable: str) -> str:
    return f"{len(levels)} different texts, as {str(levels[0])[:30]!r}; {text_usable}"
