"""How the cells of a text column are written: one spelling reads them and writes them."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from robustae.data.cells import is_absent, is_missing, number, numbers_of, plain_minus
from robustae.data.dates import SINCE, date_in, hours_in, spelled_date, spelled_hours
from robustae.data.numerals import Unit, number_in, parts_of_cell, reader_of, spelled
from robustae.data.periods import PERIOD, period_in, spelled_period

__all__ = ["KINDS", "MS_PER_DAY", "Hints", "Spelling", "in_utc", "moment_in", "plainly"]

KINDS = ("number", "category", "date", "text")  # that a user may name
MS_PER_DAY = 86_400_000


@dataclass(frozen=True)
class Hints:
    """What a user gives, and a file shows, about how cells are written.

    Attributes
    ----------
    decimal : str
        "." or ","; empty where it is to be found out.
    date_order : str
        "dmy", "mdy", "ymd" or a format with %; empty where it is to be found out.
    types : mapping of str to str
        Kinds of columns (`KINDS`) that are given by name.
    delimiter : str
        What separates the cells of the file; between commas a decimal point is likelier.
    points : int
        Columns of plain numbers that hold decimal points.
    """

    decimal: str = ""
    date_order: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ","
    points: int = 0


@dataclass(frozen=True)
class Spelling:
    """How the cells of a column are written.

    Attributes
    ----------
    kind : str
        "number", "time" (read in hours) or "date" (read in days since 1970).
    decimal, thousands : str
        Marks of numbers.
    lead, tail, mixed, gap
        Of numbers: what stands before and after them (see `numerals.Unit`), and between them and their unit.
    digits : int
        After the decimal mark, at most.
    order : str
        Of dates: "dmy", "mdy" or "ymd", or a format with %.
    since : int
        Of dates: the first of the hundred years that are written with two digits.
    like : str
        A cell as it is written.
    certain : bool
        Whether no other reading of the cells is as good.
    note : str
        What should be known about how they are read; empty where nothing.
    """

    kind: str = "number"
    decimal: str = "."
    thousands: str = ""
    lead: str = ""
    tail: str = ""
    mixed: bool = False
    gap: str = ""
    digits: int = 0
    order: str = ""
    since: int = SINCE
    like: str = ""
    certain: bool = True
    note: str = ""

    @cached_property
    def unit(self) -> Unit:
        """What stands before and after its numbers."""
        return Unit(self.lead, self.tail, self.mixed)

    @property
    def plain(self) -> bool:
        """Whether it is as programs write: a decimal point, and nothing else."""
        return self.decimal == "." and not (self.thousands or self.unit.name)

    @property
    def as_programs_write(self) -> bool:
        """Whether it is a plain number."""
        return self.kind == "number" and self.plain

    @property
    def form(self) -> str:
        """How it is written, in words: empty for plain numbers and dates in ISO 8601."""
        if self.kind == "time":
            return "in hours"
        if self.kind == "date":
            return self.order
        marks = [f"decimal {self.decimal}"] * (self.decimal != ".") + [f"thousands {self.thousands}"] * bool(
            self.thousands
        )
        return ", ".join([*([self.unit.name] if self.unit.name else []), *marks])

    def read(self, cell: Any) -> float | None:
        """A cell as a number: NaN where missing, None where it cannot be read."""
        if not isinstance(cell, str):
            return _typed(cell, self.kind)
        if is_absent(cell):
            return np.nan
        if self.kind == "date":
            return np.nan if is_missing(cell) else _days(moment_in(cell, self.order, self.since))
        if self.kind == "time":
            return np.nan if is_missing(cell) else hours_in(cell)
        value = number_in(cell, self.decimal, self.unit)
        return value if value is not None else _word(cell)

    def floats(self, values: Iterable[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return cells as numbers, NaN where missing or unreadable, and which are unreadable; (n,) each."""
        cells = list(values)
        if self.as_programs_write and all(map(isinstance, cells, repeat(str))):
            numbers, others = numbers_of(cells)
            if not others:
                return numbers, np.zeros(len(cells), dtype=bool)
        known: dict[Any, float | None] = self._usual({*cells}) if self.kind == "number" else {}
        known |= {cell: self.read(cell) for cell in {*cells} - known.keys()}
        found = [known[cell] for cell in cells]
        return np.array(found, dtype=float), np.array([value is None for value in found], dtype=bool)

    def _usual(self, cells: set[Any]) -> dict[Any, float | None]:
        """Those cells that are written as most of the column are: read at once, and as `read` does."""
        if self.mixed:
            return {}
        matched = map(self._pattern.fullmatch, (cell if isinstance(cell, str) else "" for cell in cells))
        found = {cell: f"{match[1]}{match[2]}" for cell, match in zip(cells, matched, strict=True) if match}
        text = "\n".join(found.values())
        text = text.replace(self.thousands, "") if self.thousands else text
        numbers = map(float, text.replace(self.decimal, ".").split("\n")) if found else ()
        return dict(zip(found, numbers, strict=True))

    def without_cells(self) -> "Spelling":
        """Return it with another cell written alike."""
        date = np.datetime64("2001-02-03T04:05:06" if ":" in self.like else "2001-02-03")
        like = {"date": date, "time": 4.085}.get(self.kind)
        return replace(self, like="" if like is None else self.write(like), note="")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return reader_of(self.decimal, self.thousands, self.unit)

    def write(self, value: Any) -> Any:
        """Write a number, or a date, as the column's cells are written."""
        if self.kind == "date":
            if self.order == PERIOD:
                return spelled_period(value.astype("datetime64[us]").item(), self.like)
            return spelled_date(value.astype("datetime64[us]").item(), self.like, self.order or "ymd")
        if self.kind == "time":
            return spelled_hours(float(value), self.like)
        unit = Unit(self.lead, "" if self.mixed else self.tail)
        return spelled(float(value), self.decimal, self.thousands, self.digits, unit, self.gap)


def plainly(cells: Iterable[str | None]) -> Spelling | None:
    """How a column of plain numbers is written; None where all cells are missing."""
    found = [cell for cell in cells if cell and any(sign.isdigit() for sign in cell)]
    places = (len(cell.partition(".")[2].strip()) for cell in found if "e" not in cell.lower())
    return Spelling(digits=max(places, default=0)) if found else None


def _word(cell: str) -> float | None:
    """A plain word for a number, such as true or NaN."""
    value = number(plain_minus(cell))
    # Digits that got here have marks or a unit other than the column's.
    return None if value is not None and value == value and parts_of_cell(cell) is not None else value


def _typed(cell: Any, kind: str) -> float | None:
    if isinstance(cell, dt.date):
        return _days(in_utc(cell)) if kind == "date" else None
    if isinstance(cell, dt.timedelta):
        return cell.total_seconds() / 3600 if kind == "time" else None
    if isinstance(cell, dt.time):
        return hours_in(cell.isoformat()) if kind == "time" else None
    if cell is None:
        return np.nan
    try:
        return None if kind == "date" else float(cell)
    except (TypeError, ValueError):
        return None


def in_utc(cell: dt.date) -> dt.datetime:
    """A date or time without a zone: zoned times are compared by the instant they name."""
    if not isinstance(cell, dt.datetime):
        return dt.datetime.combine(cell, dt.time())
    return cell if cell.tzinfo is None else cell.astimezone(dt.UTC).replace(tzinfo=None)


def _days(moment: dt.datetime | None) -> float | None:
    return (
        None
        if moment is None
        else (moment - dt.datetime(1970, 1, 1)) / dt.timedelta(milliseconds=1) / MS_PER_DAY
    )


def moment_in(cell: str, order: str, since: int = SINCE) -> dt.datetime | None:
    if order == PERIOD:
        return period_in(cell, since)
    if "%" not in order:
        return date_in(cell, order or "ymd", since)
    try:
        return in_utc(dt.datetime.strptime(cell.strip(), order))
    except ValueError:
        return None
