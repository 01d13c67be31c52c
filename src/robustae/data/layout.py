"""How lines of text make a table: what sets cells apart, where the names stand, and what is no row."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from robustae.data.cells import RARE, is_missing, is_number, number
from robustae.data.dates import hours_in, is_date
from robustae.data.numerals import parts_of_cell

__all__ = [
    "HEAD",
    "Layout",
    "are_units",
    "below_names",
    "counts_up",
    "delimiter_of",
    "distinct",
    "is_value",
    "layout_of",
    "reader",
    "note_on_rows",
    "skipped",
    "with_points",
]

HEAD = 50  # lines from which the layout follows
_DELIMITERS = "\t;|,"
_RARE_DELIMITERS = "^~\x01"  # only where they fit all lines
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(e[+-]?\d+)?\s*", re.IGNORECASE)
_YEARS = range(1900, 2100)
_LEADING = 3  # lines between names and rows, at most: units, types, words on the columns
_RULE = re.compile(r":?-{2,}:?")
_UNIT = (
    "kg g mg µg μg t lb lbs oz m cm mm km µm μm nm in inch ft yd mi mile miles l ml cl dl gal m² m2 m³ m3 "
    "cm² cm3 ha °c °f k c f °k % ‰ ppm ppb s sec ms µs min h hr hrs hours d day days wk month yr year years "
    "y a hz khz mhz ghz v mv kv ma w kw mw kwh mwh wh j kj mj cal kcal n kn nm pa hpa kpa mpa bar mbar psi "
    "mol mmol db lx lm cd rad deg ° rpm bpm mph kph knots ph iu u gb mb kb tb bit byte bytes px $ € £ ¥ usd "
    "eur gbp chf jpy pcs stk stück count no. number # st. std tage jahre"
)
_UNITS = frozenset(_UNIT.split())
_PARTS = re.compile(r"[/·*⋅^ ]|(?<=[a-z°%])-?[1-4²³](?=$|[/·*⋅^ ])")
_IN_BRACKETS = re.compile(r"[\[(<{].{1,30}[\])>}]")


@dataclass(frozen=True)
class Layout:
    """How lines make a table.

    Attributes
    ----------
    above : int
        Lines with text above the names, or above the first row: notes.
    delimiter : str
    named : bool
    columns : list of str
        Names, or positions where there are none.
    below : int
        Rows between the names and the first one of data, as of units.
    sample : list of list of str
        The first rows.
    notes : tuple of str
        What should be known about it.
    """

    above: int
    delimiter: str
    named: bool
    columns: list[str]
    below: int
    sample: list[list[str]]
    notes: tuple[str, ...]


def layout_of(lines: Sequence[str], given: str | None = None) -> Layout:
    """Tell the layout from the first lines that are not blank; `given` is the delimiter, where known."""
    above = _notes_above(lines, given)
    delimiter = given or delimiter_of(lines[above:])
    rows = [row for row in reader(lines[above:], delimiter) if row]
    while _is_group(rows):
        above, rows = above + 1, rows[1:]
    named = _is_header(rows)
    rows = _without_ends(rows) if named else rows
    columns = distinct(rows[0]) if named else [str(j) for j in range(len(rows[0]))]
    below = below_names(rows[1:]) if named else 0
    notes = (*([skipped(above)] if above else []), *([note_on_rows(rows[1], below)] if below else []))
    return Layout(above, delimiter, named, columns, below, rows[named + below :], notes)


def reader(lines: Iterable[str], delimiter: str) -> Any:
    """Cells of lines."""
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


# What stands above the names


def _notes_above(lines: Sequence[str], given: str | None = None) -> int:
    """How many of the first lines are notes, as a title or comments, above those of names."""
    comments = next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)
    found = {_titles(lines, delimiter) for delimiter in given or _DELIMITERS}
    return next(
        (n for n in (*sorted(found, reverse=True), comments) if n and _named_from(lines[n:], given)), 0
    )


def _titles(lines: Sequence[str], delimiter: str) -> int:
    """How many lines of fewer cells are above the first one that is as wide as any."""
    widths = [_width(line, delimiter) for line in lines]
    above = widths.index(max(widths))
    in_quotes = any(line.count('"') % 2 for line in lines[:above])  # a line of a cell of several
    return 0 if max(widths) < 2 or in_quotes else above


def _width(line: str, delimiter: str) -> int:
    """Cells of a line up to the last that is not empty."""
    cells = next(reader([line], delimiter), [])
    return max((j for j, cell in enumerate(cells, 1) if cell.strip()), default=0)


def _named_from(lines: Sequence[str], given: str | None) -> bool:
    """Whether the first of some lines has names above values."""
    rows = [row for row in reader(lines, given or delimiter_of(lines)) if row]
    valued = any(is_value(cell) for row in rows[1:] for cell in row)
    return valued and len(rows[0]) > 1 and _is_header(rows)


def skipped(above: int) -> str:
    """Say how many lines are notes."""
    return "the first line is a note" if above == 1 else f"the first {above} lines with text are notes"


def _is_group(rows: list[list[str]]) -> bool:
    """Whether the first row names groups of columns, or years, above one that names each column."""
    if len(rows) < 3 or len(rows[0]) != len(rows[1]) or "\n" in "".join(rows[0]):
        return False
    above, names = ([cell.strip() for cell in row] for row in rows[:2])
    complete = len({*names}) == len(names) and not any(is_missing(name) or is_value(name) for name in names)
    if not complete or are_units(names) or not any(_valued(rows[2:])):
        return False
    return len({*above}) < len(above) and above.count("") != 1 or any(map(is_value, above))


# What stands between the names and the rows


def below_names(rows: list[list[str]]) -> int:
    """How many of the first rows are none: units, types, or words on the columns."""
    found = 0
    while found < _LEADING and len(rows) > found + 2 and _is_no_row(rows[found], rows[found + 1 :]):
        found += 1
    return found


def _is_no_row(row: list[str], others: list[list[str]]) -> bool:
    """Whether a row has texts where all others have values."""
    valued = _valued(others)
    if len(row) != len(valued):
        return False
    if all(_RULE.fullmatch(cell.strip()) for cell in row):
        return True
    texts = [cell for cell, has in zip(row, valued, strict=True) if has and not is_missing(cell)]
    if not texts or any(map(is_value, texts)):
        return False
    if all(valued) and len(texts) > 1:
        return True
    elsewhere = [cell for cell, has in zip(row, valued, strict=True) if not has]
    return are_units(texts) and not _recurs(elsewhere, others)


def _recurs(cells: list[str], others: list[list[str]]) -> bool:
    """Whether one of some cells stands in other rows too, as what a category holds does."""
    found = {cell.strip() for cell in cells if not is_missing(cell)}
    return any(cell.strip() in found for row in others for cell in row)


def _valued(rows: list[list[str]]) -> list[bool]:
    """Which columns hold nothing but values, or few other cells."""
    width = max(map(len, rows))
    columns = [[row[j] for row in rows if j < len(row) and not is_missing(row[j])] for j in range(width)]
    return [bool(cells) and sum(map(is_value, cells)) >= (1 - RARE) * len(cells) for cells in columns]


def are_units(cells: Sequence[str]) -> bool:
    """Whether all cells that are not empty are units, as kg, (mm) and km/h."""
    texts = [cell for cell in cells if not is_missing(cell)]
    return bool(texts) and all(map(_is_unit, texts))


def _is_unit(cell: str) -> bool:
    text = cell.strip()
    if _IN_BRACKETS.fullmatch(text):
        return True
    return all(part in _UNITS for part in _PARTS.split(text.lower()) if part)


def note_on_rows(row: list[str], below: int) -> str:
    cells = ", ".join(repr(cell.strip()[:20]) for cell in row if cell.strip())[:60]
    lines = (
        "the line below the names is no row" if below == 1 else f"{below} lines below the names are no rows"
    )
    return f"{lines}, but units or words on the columns ({cells})"


# What sets cells apart


def delimiter_of(lines: Sequence[str]) -> str:
    """Return what sets the cells of lines apart: tab, semicolon, bar, comma, or blanks."""
    for delimiter in _DELIMITERS + _RARE_DELIMITERS:
        widths = {len(row) for row in reader(lines, delimiter) if row}
        if len(widths) == 1 and widths != {1}:
            return delimiter
    if len(lines) > 1 and "," not in lines[0] and all(_DECIMAL_COMMA.fullmatch(line) for line in lines[1:]):
        return ";"  # one column
    if _in_blanks(lines):
        return " "
    # None fits every line: the likeliest one is kept, so that the odd line can be named.
    return max(reversed(_DELIMITERS), key=lambda delimiter: sum(line.count(delimiter) for line in lines))


def _in_blanks(lines: Sequence[str]) -> bool:
    """Whether blanks set values apart, in three columns or more, or in columns that are aligned by blanks."""
    rows = [line.split() for line in lines]
    if len(rows) < 2 or len({len(row) for row in rows}) > 1:
        return False
    width = len(rows[0])
    several = width > 2 or width > 1 and any("  " in line.strip() for line in lines)
    return several and all(is_missing(cell) or is_value(cell) for row in rows[1:] for cell in row)


def with_points(row: list[str], delimiter: str) -> list[str]:
    """Where semicolons set the cells apart a comma is a decimal one: spreadsheets write it so."""
    if delimiter != ";" or "," not in "".join(row):
        return row
    return [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in row]


# Names


def _is_header(sample: list[list[str]]) -> bool:
    """Whether the first row has text above values, text and no value at all, or numbers in steps of 1."""
    if counts_up(sample):
        return True
    texts = [j for j, cell in enumerate(sample[0]) if not is_missing(cell) and not is_value(cell)]
    if texts and not any(map(is_value, sample[0])):
        return True
    below = [row for row in sample[1:] if len(row) == len(sample[0])]
    return any(is_value(row[j]) for j in texts for row in below)


def counts_up(sample: list[list[str]]) -> bool:
    """Whether the first row counts columns (0, 1, 2 as data frames do) or years, above other values."""
    first, below = sample[0], [row for row in sample[1:] if len(row) == len(sample[0])]
    if len(first) < 2 or not below or not all(cell.strip().isdecimal() for cell in first):
        return False
    numbers = [int(cell) for cell in first]
    if numbers[0] not in (0, 1, *_YEARS) or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return False
    if numbers[0] in _YEARS and not any(_is_year(cell) for row in below for cell in row):
        return True
    return len(first) > 3 or all(any("." in row[j] for row in below) for j in range(len(first)))


def _is_year(cell: str) -> bool:
    return cell.strip().isdecimal() and int(cell) in _YEARS


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, a date or a time, in whatever form."""
    if number(cell) is not None:
        return is_number(cell)
    found = parts_of_cell(cell)
    alone = found is not None and (found.unit.lead or not found.unit.tail or not cell.strip()[:1].isalpha())
    return bool(alone) or hours_in(cell) is not None or is_date(cell)


def distinct(names: list[str]) -> list[str]:
    """Give a name to the columns without one, and number those that share one; in one pass, however many."""
    seen: Counter[str] = Counter()
    following: dict[str, int] = {}
    taken: dict[str, None] = {}
    for j, given in enumerate(map(str.strip, names)):
        free = name = given or f"column {j}"
        least = max(seen[name], following.get(name, 0))
        if least or name in taken:
            k = next(k for k in count(max(least, 1)) if f"{name}.{k}" not in taken)
            free, following[name] = f"{name}.{k}", k + 1
        taken[free] = None
        seen[given] += 1
    return [*taken]


def _without_ends(rows: list[list[str]]) -> list[list[str]]:
    """Leave off names that are empty at the end, where no row has cells there."""
    width = len(rows[0]) - next((j for j, name in enumerate(reversed(rows[0])) if name.strip()), 0)
    if any(cell.strip() for row in rows[1:] for cell in row[width:]):
        return rows
    return [row[:width] for row in rows]
