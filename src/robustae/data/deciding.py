"""Decides how text columns are written, once for each column of a table, from all its cells."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise
from typing import Any

from robustae.data.cells import RARE, is_absent, is_missing, number
from robustae.data.dates import ORDERS, SINCE, date_in, day_of, hours_in, in_parts, is_date, years_in
from robustae.data.numerals import OTHER, Numeral, Unit, marks_of, parts_of_cell, unit_of
from robustae.data.periods import PERIOD, are_periods, has_short_year, period_in
from robustae.data.spelling import Hints, Spelling, moment_in
from robustae.utils.checks import InputError

__all__ = ["decided", "may_be_no_amount", "refuse_either", "unsettled"]

_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_ADDRESS = rf"(?:{_BYTE}\.){{3}}{_BYTE}"
_CODE = re.compile(rf"0\d{{3,}}[A-Z]{{0,2}}|\d{{16,}}|\d{{2,}}[eE]\d{{1,3}}|\+\d{{9,15}}|{_ADDRESS}")
_PACKED = re.compile(r"(?:19|20)\d{6}(?:\d{6})?|[0-3]\d[0-3]\d(?:19|20)\d\d(?:\d{6})?")
_ALL_DIGITS = re.compile(rf"\+?\d+(?:[eE]\d+)?[A-Z]{{0,2}}|{_ADDRESS}")
_SUSPECT = re.compile(rf"(?<!\S)(?:{_CODE.pattern}|{_PACKED.pattern})(?!\S)")
_SEASON = re.compile(r"\d\d(\d\d)[-/](\d\d)")
NEAR = 10  # years between two that are of one run
SEVERAL = 3  # different cells of digits that may be months
LIKE = {"date": "2000-01-01", "time": "00:00"}
SOME = 200  # different cells that show whether a column may hold dates or times
_SHAPES = str.maketrans("12345678", "9" * 8)


@dataclass(frozen=True)
class _Form:
    """Cells that can be read in the same ways, for they differ in digits alone."""

    cell: str  # one of them
    part: Numeral | None
    different: int
    rows: int


@dataclass(frozen=True)
class _Found:
    """What a column's cells could be: numerals with a unit, and how many cells each reading takes."""

    counts: Counter[str]  # of the cells that are not missing
    typed: Counter[str]  # cells that are numbers, dates or times by their type
    forms: list[_Form]
    numerals: Counter[Numeral]  # one for each form, and how many different cells have it
    unit: Unit | None
    marks: tuple[int, int, int]
    absent: str = ""  # a cell that means missing only where the others are numbers or dates

    @cached_property
    def days(self) -> Counter[str]:
        """Cells without their times of day: far fewer."""
        days: Counter[str] = Counter()
        for cell, count in self.counts.items():
            days[day_of(cell)] += count
        return days

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
    return {name: _noted(_of(one, kinds[name], usual, order), one) for name, one in found.items()}


def _noted(spelling: Spelling | None, one: _Found) -> Spelling | None:
    """Add what should be known about the cells."""
    if spelling is None:
        return None
    notes = [spelling.note] if spelling.note else []
    notes += [f"{one.absent.strip()!r} counts as missing"] if one.absent else []
    return replace(
        spelling, note="; ".join([*notes, *(_doubts(spelling, one) if spelling.kind == "number" else [])])
    )


def _doubts(spelling: Spelling, one: _Found) -> list[str]:
    """What is taken for granted about numbers: a unit that only some have, a minus behind them."""
    notes = []
    bare = next((form for form in one.forms if form.part and form.part.unit == Unit()), None)
    few = sum(form.rows for form in one.forms if form.part and form.part.unit == Unit())
    if spelling.unit.name and not spelling.mixed and bare and few > RARE * sum(one.counts.values()):
        notes.append(f"{bare.cell.strip()} without {spelling.unit.name!r} is read as if it were there")
    behind = (form.cell.strip() for form in one.forms if form.part and form.part.negative)
    if cell := next((cell for cell in behind if cell.endswith("-")), ""):
        notes.append(f"{cell} is read as less than zero")
    return notes


def _only(options: Iterable[str]) -> str:
    """The one option there is; empty where there are none or several."""
    options = set(options)
    return options.pop() if len(options) == 1 else ""


def _found(cells: Iterable[Any]) -> _Found:
    every = Counter(cells)
    counts = Counter(
        {cell: count for cell, count in every.items() if isinstance(cell, str) and not is_missing(cell)}
    )
    absent = {cell: count for cell, count in counts.items() if is_absent(cell)}
    if 2 * sum(absent.values()) <= sum(counts.values()):
        counts -= Counter(absent)
    else:
        absent = {}
    typed: Counter[str] = Counter()
    for cell, count in every.items():
        if not isinstance(cell, str) and cell is not None:
            typed[_type_of(cell)] += count
    forms = _forms(counts)
    numerals: Counter[Numeral] = Counter()
    for form in forms:
        if form.part is not None:
            numerals[form.part] += form.different
    unit = unit_of(numerals, RARE) if numerals else Unit()
    return _Found(counts, typed, forms, numerals, unit, marks_of(numerals), next(iter(absent), ""))


def _forms(counts: Counter[str]) -> list[_Form]:
    found: dict[str, list[Any]] = {}
    for cell, rows in counts.items():
        # A digit behind a letter may be part of a unit, as in m2.
        shape = cell.translate(_SHAPES) + (cell[-1] if cell[-2:-1].isalpha() else "")
        form = found.setdefault(shape, [cell, 0, 0])
        form[1] += 1
        form[2] += rows
    return [_Form(cell, parts_of_cell(cell), different, rows) for cell, different, rows in found.values()]


def _is_number(one: _Found) -> bool:
    readable = sum(form.rows for form in one.forms if form.part or _plain(form.cell))
    return one.unit is not None and bool(one.numerals) and readable >= one.needed


def _plain(cell: str) -> bool:
    return number(cell) is not None


def _of(one: _Found, kind: str, usual: "_Usual", order: str) -> Spelling | None:
    if kind in ("category", "text") or not one.counts:
        return None
    if kind != "number" and (period := _as_period(one)):
        return period
    if kind != "number" and (kind == "date" or _packed_dates(one)):
        return _as_date(one, order, bool(kind))
    if not kind and _are_codes(one.counts):
        return None
    found = _as_number(one, usual, bool(kind)) or _as_time(one)
    return found or (None if kind == "number" else _as_date(one, order, False)) or _by_type(one)


def _by_type(one: _Found) -> Spelling | None:
    """Numbers, dates or times by type, beside a few texts; None where there are more, or several types."""
    of_all = sum(one.typed.values()) + sum(one.counts.values())
    kind = next((kind for kind, count in one.typed.items() if count >= (1 - RARE) * of_all), None)
    return None if kind is None else Spelling(kind, like=LIKE.get(kind, ""))


def _type_of(cell: Any) -> str:
    if isinstance(cell, dt.date):
        return "date"
    return "time" if isinstance(cell, dt.time | dt.timedelta) else "number"


def may_be_no_amount(cells: Iterable[str]) -> bool:
    """Whether some of these plain numbers may be codes, or dates without separators."""
    return bool(_SUSPECT.search(" ".join(cells)))


def _are_codes(counts: Counter[str]) -> bool:
    """Whether digits mean no amount: 00501, 12E4, or more of them than a number keeps."""
    if not may_be_no_amount(counts):
        return False
    digits = {cell.strip(): count for cell, count in counts.items() if _ALL_DIGITS.fullmatch(cell.strip())}
    total, codes = sum(counts.values()), sum(digits[cell] for cell in digits if _CODE.fullmatch(cell))
    if not codes or sum(digits.values()) < (1 - RARE) * total:
        return False
    return codes > RARE * total or len({*map(len, digits)}) == 1


def _as_period(one: _Found) -> Spelling | None:
    """Months, quarters or weeks; digits alone only where all cells are such, and several."""
    if not _half(one, lambda cell: period_in(cell) is not None):
        return None
    read = [cell for cell in one.counts if period_in(cell) is not None]
    digits = are_periods([*one.counts])
    if sum(one.counts[cell] for cell in read) < one.needed or digits and len(one.counts) < SEVERAL:
        return None
    if all(map(_is_season, read)):
        return None
    short = next((cell for cell in read if has_short_year(cell)), None)
    note = f"{short} is read as {period_in(short):%B %Y}" if short else ""
    return Spelling("date", order=PERIOD, like=read[0], note=note)


def _is_season(cell: str) -> bool:
    """Whether a cell names two years that follow each other, as 2009/10."""
    found = _SEASON.fullmatch(cell.strip())
    return found is not None and int(found[2]) == (int(found[1]) + 1) % 100


def _packed_dates(one: _Found) -> bool:
    """Whether nearly all cells are dates without separators, as 20241231."""
    packed = sum(count for cell, count in one.counts.items() if _PACKED.fullmatch(cell.strip()))
    return packed >= one.needed and bool(_orders(one))


def _as_number(one: _Found, usual: "_Usual", forced: bool) -> Spelling | None:
    if not one.numerals or not (forced or _is_number(one)):
        return None
    mark, certain = usual.mark(one)
    made = Spelling(decimal=mark, certain=certain, **_unit_parts(one))
    read = sum(form.rows for form in one.forms if made.read(form.cell) is not None)
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
    marks: Counter[str] = Counter()
    for part, count in one.numerals.items():
        signs = set(part.body.partition(mark)[0]) if part.value(mark) is not None else ()
        marks.update({sign: count for sign in signs if not sign.isdigit()})
    return marks.most_common(1)[0][0] if marks else ""


def _digits(one: _Found, mark: str) -> int:
    return max(
        (len(part.body.partition(mark)[2]) for part in one.numerals if part.value(mark) is not None),
        default=0,
    )


def _gap(one: _Found) -> str:
    tailed = next((form.cell for form in one.forms if form.part and form.part.unit.tail), "")
    return " " if " " in tailed.strip() else ""


def _half(one: _Found, reads: Callable[[str], bool]) -> bool:
    """Whether half of some of the different cells can be read: else nearly all of them cannot."""
    some = list(islice(one.counts, 0, None, max(1, len(one.counts) // SOME)))
    return 2 * sum(map(reads, some)) >= len(some)


def _as_time(one: _Found) -> Spelling | None:
    if not _half(one, lambda cell: hours_in(cell) is not None):
        return None
    read = sum(count for cell, count in one.counts.items() if hours_in(cell) is not None)
    timed = read and read >= one.needed and any(map(in_parts, one.counts))
    return Spelling("time", like=max(one.counts, key=len)) if timed else None


def _orders_voted(found: Iterable[_Found]) -> list[str]:
    return [orders[0] for one in found if len(orders := _orders(one)) == 1 and orders[0] != "ymd"]


def _orders(one: _Found, forced: bool = False) -> list[str]:
    """The orders of dates that read as many cells as any other, and enough; one of those that read alike."""
    if not forced and not _half(one, is_date):
        return []
    read = {order: [date_in(cell, order, SINCE) for cell in one.days] for order in ORDERS}
    sizes = {order: _weight(one.days, moments) for order, moments in read.items()}
    most = max(sizes.values())
    if not most or most < one.needed and not forced:
        return []
    best = [order for order in ORDERS if sizes[order] == most]
    if all(read[order] == read[best[0]] for order in best):
        return ["ymd" if "ymd" in best else best[0]]
    return best


def _weight(counts: Counter[str], moments: list[Any]) -> int:
    return sum(count for count, moment in zip(counts.values(), moments, strict=True) if moment is not None)


def _as_date(one: _Found, order: str, forced: bool) -> Spelling | None:
    like = next(iter(one.counts))
    if "%" in order:
        moments = [moment_in(cell, order) for cell in one.counts]
        return (
            Spelling("date", order=order, like=like) if _weight(one.counts, moments) >= one.needed else None
        )
    orders = _orders(one, forced)
    if not orders:
        return None
    if order in orders:
        return _dates(one, order)
    # With points nobody writes the month first.
    if len(orders) == 1 or "dmy" in orders and all("." in cell for cell in one.counts):
        return _dates(one, "dmy" if len(orders) > 1 else orders[0])
    cell = next(cell for cell in one.counts if len({date_in(cell, each) for each in orders}) > 1)
    return replace(_dates(one, orders[0]), certain=False, note=_both(cell, orders))


def _dates(one: _Found, order: str) -> Spelling:
    """Dates in this order."""
    years = sorted({year for day in one.days if (year := years_in(day, order)) is not None})
    return Spelling("date", order=order, since=_since(years), like=next(iter(one.counts)))


def _since(years: list[int]) -> int:
    """The first of the hundred years that two digits mean: births from 45 to 99 are of one century."""
    cut = SINCE % 100
    below, above = [year for year in years if year < cut], [year for year in years if year >= cut]
    if not below or not above or above[0] - below[-1] > NEAR:
        return SINCE
    return 1900 + max((after - year, after) for year, after in pairwise([*years, years[0] + 100]))[1] % 100


def _both(cell: str, orders: list[str]) -> str:
    names = {"dmy": "day, month, year", "mdy": "month, day, year", "ymd": "year, month, day"}
    readings = [f"{moment.date()} ({names[order]})" for order in orders if (moment := date_in(cell, order))]
    return f"{cell} may be {' or '.join(readings)}"


def unsettled(counts: Counter[Any]) -> str:
    """Why cells most of which are numbers or dates are not read as such; empty for texts and codes."""
    texts = Counter({cell: count for cell, count in counts.items() if isinstance(cell, str)})
    half = sum(texts.values()) / 2
    parts = {cell: _amount(cell) for cell in texts}
    numbers = sum(texts[cell] for cell, part in parts.items() if part)
    if numbers >= half > 0 and not _are_codes(texts):
        return _not_numbers(parts, numbers >= (1 - RARE) * 2 * half)
    dates = sum(count for cell, count in texts.items() if is_date(cell))
    return f"dates in several orders, as {next(iter(texts))!r}" if dates >= (1 - RARE) * 2 * half > 0 else ""


def _amount(cell: str) -> Numeral | None:
    """The parts of a cell that is a number with one decimal mark at least."""
    part = parts_of_cell(cell)
    return None if part is None or part.value(".") is None and part.value(",") is None else part


def _not_numbers(parts: Mapping[str, Numeral | None], nearly_all: bool) -> str:
    units = sorted({part.unit.name for part in parts.values() if part})
    if not nearly_all:
        other = next(cell for cell, part in parts.items() if part is None)
        return (
            f"numbers in most rows, and such as {other[:20]!r} in the others (--types reads those as missing)"
        )
    if len(units) > 1:
        named = ", ".join(unit or "none" for unit in units[:4])
        return f"numbers in several units ({named}): bring them to one"
    both = all(any(part and part.value(mark) is None for part in parts.values()) for mark in ".,")
    return "numbers with '.' and with ',' as the decimal mark" if both else ""


def refuse_either(name: str, spelling: Spelling) -> None:
    """Ask which of two readings of a column of dates is meant."""
    if spelling.kind == "date" and not spelling.certain:
        raise InputError(
            f"column {name!r}: {spelling.note}: name the order (--date-format dmy, mdy or ymd; in a frame "
            "pandas.to_datetime with dayfirst), or leave the column out."
        )
