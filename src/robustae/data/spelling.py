"""How the cells of a text column are written, decided once for each column of a table, from all its cells."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from robustae.data.cells import RARE, is_missing, number, numbers_of, plain_minus
from robustae.data.dates import ORDERS, date_in, hours_in, spelled_date, spelled_hours
from robustae.data.numerals import OTHER, Numeral, Unit, marks_of, number_in, parts_of_cell, spelled, unit_of
from robustae.utils.checks import InputError

__all__ = ["KINDS", "MS_PER_DAY", "Hints", "Spelling", "decided", "in_utc", "plainly", "refuse_either"]

KINDS = ("number", "category", "date", "text")  # that a user may name
MS_PER_DAY = 86_400_000
ENOUGH = 50_000  # different cells of a column that are read


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
        if self.kind == "date":
            return np.nan if is_missing(cell) else _days(_moment(cell, self.order))
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
        known = {cell: self.read(cell) for cell in set(cells)}
        found = [known[cell] for cell in cells]
        return np.array(found, dtype=float), np.array([value is None for value in found], dtype=bool)

    def write(self, value: Any) -> Any:
        """Write a number, or a date, as the column's cells are written."""
        if self.kind == "date":
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


def _moment(cell: str, order: str) -> dt.datetime | None:
    if "%" not in order:
        return date_in(cell, order or "ymd")
    try:
        return in_utc(dt.datetime.strptime(cell.strip(), order))
    except ValueError:
        return None


# Deciding ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """What a column's cells could be: numerals with a unit, and how many cells each reading takes."""

    counts: Counter[str]  # of the cells that are not missing
    others: int  # cells that are typed numbers
    numerals: list[Numeral]
    unit: Unit | None
    marks: tuple[int, int, int]

    @property
    def decisive(self) -> str:
        """The decimal mark that alone reads most of the cells; empty where both do or none."""
        point, comma, _ = self.marks
        return "" if point == comma else "." if point > comma else ","

    @property
    def needed(self) -> float:
        """Cells that must be readable."""
        return (1 - RARE) * sum(self.counts.values())


@dataclass(frozen=True)
class _Usual:
    """The decimal mark of the table's other columns, whether there is one, and whether they agree."""

    hints: Hints
    voted: str
    any: bool
    agreed: bool

    def mark(self, one: _Found) -> tuple[str, bool]:
        """The decimal mark of a column, and whether its cells, the user or the other columns decide it."""
        given = self.hints.decimal or one.decisive
        if given or not one.marks[2]:
            return given or ".", True
        if self.any:
            return self.voted, self.agreed
        commas = any("," in part.body for part in one.numerals if part.either)
        return "," if commas and self.hints.delimiter in ";\t" else ".", False

    def plain(self, mark: str) -> bool:
        """Whether a decimal point is what everybody expects."""
        return mark == "." and self.hints.delimiter == "," and not self.any


def decided(columns: Mapping[str, Iterable[Any]], hints: Hints | None = None) -> dict[str, Spelling | None]:
    """Decide how the columns of a table are written; None for text.

    Parameters
    ----------
    columns : mapping of str to cells
        Texts; None where missing; typed cells among them count as readable.
    hints : Hints, optional
    """
    hints = hints or Hints()
    found = {name: _found(cells) for name, cells in columns.items()}
    order = hints.date_order or _only(_orders_voted(found.values()))
    kinds = {name: hints.types.get(name, "") for name in found}
    votes = Counter(one.decisive for one in found.values() if one.decisive and _is_number(one))
    votes["."] += hints.points
    usual = _Usual(
        hints,
        "," if votes[","] > votes["."] else ".",
        votes[","] != votes["."],
        not (votes[","] and votes["."]),
    )
    return {name: _of(one, kinds[name], usual, order) for name, one in found.items()}


def _only(options: Iterable[str]) -> str:
    """The one option there is; empty where there are none or several."""
    options = set(options)
    return options.pop() if len(options) == 1 else ""


def _found(cells: Iterable[Any]) -> _Found:
    every = Counter(cells)
    counts = Counter(
        {cell: count for cell, count in every.items() if isinstance(cell, str) and not is_missing(cell)}
    )
    others = sum(count for cell, count in every.items() if not isinstance(cell, str) and cell is not None)
    parts = [(parts_of_cell(cell), count) for cell, count in counts.most_common(ENOUGH)]
    numerals = [part for part, _ in parts if part is not None]
    unit = unit_of(numerals, RARE) if numerals else Unit()
    return _Found(counts, others, numerals, unit, marks_of(numerals))


def _is_number(one: _Found) -> bool:
    readable = sum(one.counts[cell] for cell in one.counts if parts_of_cell(cell) or _plain(cell))
    return one.unit is not None and bool(one.numerals) and readable >= one.needed


def _plain(cell: str) -> bool:
    return number(cell) is not None


def _of(one: _Found, kind: str, usual: "_Usual", order: str) -> Spelling | None:
    if kind in ("category", "text") or not one.counts:
        return None
    options = [_as_number(one, usual, bool(kind))] if kind != "date" else []
    options += [_as_time(one)] if kind != "date" else []
    options += [_as_date(one, order, bool(kind))] if kind != "number" else []
    return next((option for option in options if option is not None), None)


def _as_number(one: _Found, usual: "_Usual", forced: bool) -> Spelling | None:
    if not one.numerals or not (forced or _is_number(one)):
        return None
    mark, certain = usual.mark(one)
    made = Spelling(decimal=mark, certain=certain, **_unit_parts(one))
    read = sum(one.counts[cell] for cell in one.counts if made.read(cell) is not None)
    if not forced and read < one.needed:
        return None
    note = "" if certain or usual.plain(mark) else _either(one, mark)
    return replace(made, note=note, thousands=_thousands(one, mark), digits=_digits(one, mark), gap=_gap(one))


def _unit_parts(one: _Found) -> dict[str, Any]:
    unit = one.unit or Unit()
    return {"lead": unit.lead, "tail": unit.tail, "mixed": unit.mixed}


def _either(one: _Found, mark: str) -> str:
    """Both readings of a cell that may be one or the other."""
    part = next(part for part in one.numerals if part.either)
    taken, other = part.value(mark), part.value(OTHER[mark])
    return (
        f"{part.body} is read as {taken:g}, and would be {other:g} with {OTHER[mark]!r} as the decimal mark"
    )


def _thousands(one: _Found, mark: str) -> str:
    marks = Counter(
        sign
        for part in one.numerals
        if part.value(mark) is not None
        for sign in set(part.body.partition(mark)[0])
        if not sign.isdigit()
    )
    return marks.most_common(1)[0][0] if marks else ""


def _digits(one: _Found, mark: str) -> int:
    return max(
        (len(part.body.partition(mark)[2]) for part in one.numerals if part.value(mark) is not None),
        default=0,
    )


def _gap(one: _Found) -> str:
    tails = [cell for cell in one.counts if (found := parts_of_cell(cell)) and found.unit.tail]
    return " " if tails and " " in tails[0].strip() else ""


def _as_time(one: _Found) -> Spelling | None:
    read = sum(count for cell, count in one.counts.items() if hours_in(cell) is not None)
    return Spelling("time", like=max(one.counts, key=len)) if read and read >= one.needed else None


def _orders_voted(found: Iterable[_Found]) -> list[str]:
    return [orders[0] for one in found if len(orders := _orders(one)) == 1 and orders[0] != "ymd"]


def _orders(one: _Found, forced: bool = False) -> list[str]:
    """The orders of dates that read as many cells as any other, and enough; one of those that read alike."""
    if not any(sign.isdigit() for cell in list(one.counts)[:1] for sign in cell):
        return []
    read = {order: [date_in(cell, order) for cell in one.counts] for order in ORDERS}
    sizes = {order: _weight(one, moments) for order, moments in read.items()}
    most = max(sizes.values())
    if not most or most < one.needed and not forced:
        return []
    best = [order for order in ORDERS if sizes[order] == most]
    if all(read[order] == read[best[0]] for order in best):
        return ["ymd" if "ymd" in best else best[0]]
    return best


def _weight(one: _Found, moments: list[Any]) -> int:
    return sum(
        count for count, moment in zip(one.counts.values(), moments, strict=True) if moment is not None
    )


def _as_date(one: _Found, order: str, forced: bool) -> Spelling | None:
    like = next(iter(one.counts))
    if "%" in order:
        moments = [_moment(cell, order) for cell in one.counts]
        return Spelling("date", order=order, like=like) if _weight(one, moments) >= one.needed else None
    orders = _orders(one, forced)
    if not orders:
        return None
    if len(orders) == 1:
        return Spelling("date", order=orders[0], like=like)
    if order in orders:
        return Spelling("date", order=order, like=like)
    if "dmy" in orders and all(
        "." in cell for cell in one.counts
    ):  # with points nobody writes the month first
        return Spelling("date", order="dmy", like=like)
    cell = next(cell for cell in one.counts if len({date_in(cell, each) for each in orders}) > 1)
    return Spelling("date", order=orders[0], like=like, certain=False, note=_both(cell, orders))


def _both(cell: str, orders: list[str]) -> str:
    names = {"dmy": "day, month, year", "mdy": "month, day, year", "ymd": "year, month, day"}
    readings = [f"{moment.date()} ({names[order]})" for order in orders if (moment := date_in(cell, order))]
    return f"{cell} may be {' or '.join(readings)}"


def refuse_either(name: str, spelling: Spelling) -> None:
    """Ask which of two readings of a column of dates is meant."""
    if spelling.kind == "date" and not spelling.certain:
        raise InputError(
            f"column {name!r}: {spelling.note}: name the order (--date-format dmy, mdy or ymd; in a frame "
            "pandas.to_datetime with dayfirst), or leave the column out."
        )
