"""CSV and its kin: encoding, delimiter and header follow from the first lines, unless they are given."""

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from robustae.data.cells import is_missing, is_number, number
from robustae.data.dates import hours_in, is_date
from robustae.data.dialect import Dialect
from robustae.data.numerals import parts_of_cell
from robustae.data.options import ReadOptions
from robustae.utils.checks import InputError

__all__ = [
    "Block",
    "TextFile",
    "counts_up",
    "delimiter_of",
    "distinct",
    "opened_bytes",
    "skipped",
    "with_points",
]

_DELIMITERS = "\t;|,"
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(e[+-]?\d+)?\s*", re.IGNORECASE)
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*')
_YEARS = range(1900, 2100)
_BLOCK = 4096  # rows at a time
_HEAD = 1 << 20  # characters of the first lines, at most, from which the layout follows
_SAMPLE = 50  # lines
_LONGEST = 1 << 26  # characters of the first line
_BYTES = 1 << 24  # that must be UTF-8, unless the encoding is given
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_KINDS = (b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0", b"PAR1", b"\x93NUMPY", b"ARROW1")

# Lines in the file, and the cells column by column.
Block = tuple[Sequence[int], Sequence[Sequence[Any]]]


class TextFile:
    """One file of delimited text.

    Attributes
    ----------
    columns : list of str
        Names, or positions where there is no header.
    named : bool
    dialect : Dialect
    skipped : int
        Lines before the first row: those of names, and of the separator.
    sample : list of list of str
        The first rows.
    note : str
        What should be known about how it is read; empty where nothing.
    """

    suffix = ".csv"

    def __init__(self, path: Path, options: ReadOptions):
        self.path = path
        encoding, self.note = _encoding(path, options)
        with _opened(path, encoding) as text:
            given, numbers, lines = _first_lines(text, path)
        above = _notes_above(lines, options.delimiter or given)
        numbers, lines = numbers[above:], lines[above:]
        self.preamble = numbers[0] if above or given else 0
        if above:
            self.note = "; ".join(filter(None, [self.note, skipped(above)]))
        delimiter = options.delimiter or given or delimiter_of(lines)
        self.dialect = Dialect(delimiter, encoding)
        rows = [row for row in _reader(lines, delimiter) if row]
        self.named = _is_header(rows)
        rows = _without_ends(rows) if self.named else rows
        self.columns = distinct(rows[0]) if self.named else [str(j) for j in range(len(rows[0]))]
        self.sample = rows[1:] if self.named else rows

    @property
    def about_rows(self) -> int:
        """Rows in all, by the first lines."""
        sample = [sum(map(len, row)) + len(row) for row in self.sample] or [1]
        return max(1, round(_size(self.path) * len(sample) / max(1, sum(sample))))

    def blocks(self) -> Iterator[Block]:
        """Yield the rows, some at a time."""
        with _opened(self.path, self.dialect.encoding) as text:
            for _ in range(self.preamble):
                next(text)
            rows = _rows(text, self.dialect.delimiter, len(self.columns), self.preamble)
            if self.named:
                next(rows)
            while block := list(islice(rows, _BLOCK)):
                lines, cells = zip(*block, strict=True)
                yield lines, list(zip(*cells, strict=True))


def opened_bytes(path: Path) -> IO[bytes]:
    """Open a file, unpacked where it is gzip."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    opened: Any = gzip.open if packed else open
    return opened(path, "rb")


def _size(path: Path) -> int:
    """Bytes of text, about: gzip packs tables to a quarter."""
    return path.stat().st_size * (4 if path.suffix == ".gz" else 1)


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[IO[str]]:
    with opened_bytes(path) as binary, io.TextIOWrapper(binary, encoding=encoding, newline="") as text:
        yield text


def _encoding(path: Path, options: ReadOptions) -> tuple[str, str]:
    """The encoding of a file, and a remark on it."""
    with opened_bytes(path) as binary:
        head = binary.read(4096)
        marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
        if head.startswith(_OTHER_KINDS) or (b"\0" in head and not (marked or options.encoding)):
            raise InputError(
                f"{str(path)!r} is not text: use CSV, JSON lines, Parquet, .xlsx, .npy or .npz (UTF-16 "
                "without its mark: --encoding utf-16-le)."
            )
        if options.encoding or marked:
            return options.encoding or str(marked), ""
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head + binary.read(_BYTES))
        except UnicodeDecodeError as error:
            return _western(path, error)
    return "utf-8", ""


def _western(path: Path, error: UnicodeDecodeError) -> tuple[str, str]:
    try:
        text = bytes(error.object).decode("cp1252")
    except UnicodeDecodeError:
        raise error from None
    if any(ord(sign) < 32 and sign not in "\t\r\n\x0c" for sign in text):
        raise error
    return "cp1252", f"{path.name} is not UTF-8 and is read as Windows-1252 (--encoding names another)"


def _first_lines(text: IO[str], path: Path) -> tuple[str | None, list[int], list[str]]:
    """Return the separator that a first line sep=; gives, and the first lines that are not blank.

    With each line goes how many are above it.
    """
    numbers: list[int] = []
    lines: list[str] = []
    size = above = 0
    while len(lines) < _SAMPLE and size < _HEAD and (line := text.readline(_LONGEST)):
        size += len(line)
        if line.strip():
            numbers.append(above)
            lines.append(line)
        above += 1
    given = _SEP_LINE.fullmatch(lines[0]) if lines else None
    start = int(given is not None)
    if not lines[start:]:
        raise InputError(f"{str(path)!r} is empty.")
    return given and given[1], numbers[start:], lines[start:]


def _notes_above(lines: list[str], given: str | None = None) -> int:
    """How many of the first lines are notes, as a title or comments, above those of names."""
    comments = next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)
    found = max((_titles(lines, delimiter) for delimiter in given or _DELIMITERS), default=0)
    return next((n for n in (found, comments) if n and _named_from(lines[n:], given)), 0)


def _titles(lines: list[str], delimiter: str) -> int:
    """How many lines with nothing but a first cell are above one that is as wide as any."""
    widths = [_width(line, delimiter) for line in lines]
    widest = max(widths)
    return widths.index(widest) if widest > 1 and max(widths[: widths.index(widest)], default=9) <= 1 else 0


def _width(line: str, delimiter: str) -> int:
    """Cells of a line up to the last that is not empty."""
    cells = next(_reader([line], delimiter), [])
    return max((j for j, cell in enumerate(cells, 1) if cell.strip()), default=0)


def _named_from(lines: list[str], given: str | None) -> bool:
    """Whether the first of some lines has names above values."""
    rows = [row for row in _reader(lines, given or delimiter_of(lines)) if row]
    valued = any(_is_value(cell) for row in rows[1:] for cell in row)
    return valued and len(rows[0]) > 1 and _is_header(rows)


def skipped(above: int) -> str:
    """Say how many lines are notes."""
    return "the first line is a note" if above == 1 else f"the first {above} lines with text are notes"


def delimiter_of(lines: list[str]) -> str:
    """Return what sets the cells of lines apart: tab, semicolon, bar, comma, or blanks."""
    for delimiter in _DELIMITERS:
        widths = {len(row) for row in _reader(lines, delimiter) if row}
        if len(widths) == 1 and widths != {1}:
            return delimiter
    if len(lines) > 1 and "," not in lines[0] and all(_DECIMAL_COMMA.fullmatch(line) for line in lines[1:]):
        return ";"  # one column
    if _in_blanks(lines):
        return " "
    # None fits every line: the likeliest one is kept, so that the odd line can be named.
    return max(reversed(_DELIMITERS), key=lambda delimiter: sum(line.count(delimiter) for line in lines))


def _in_blanks(lines: list[str]) -> bool:
    """Whether blanks set values apart, in three columns or more, or in columns that are aligned by blanks."""
    rows = [line.split() for line in lines]
    if len(rows) < 2 or len({len(row) for row in rows}) > 1:
        return False
    width = len(rows[0])
    several = width > 2 or width > 1 and any("  " in line.strip() for line in lines)
    return several and all(is_missing(cell) or _is_value(cell) for row in rows[1:] for cell in row)


def _reader(lines: IO[str] | list[str], delimiter: str) -> Any:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _rows(text: IO[str], delimiter: str, width: int, before: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each row that is not blank; all of one width.

    Separators at the end of a line, which set off nothing, do not count.
    """
    reader = _reader(text, delimiter)
    first = 0
    for row in reader:
        if not row or (row == [""] and width != 1):
            continue
        first = first or reader.line_num + before
        if len(row) > width and not any(map(str.strip, row[width:])):
            row = row[:width]
        if len(row) != width:
            cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
            raise InputError(
                f"line {reader.line_num + before} has {cells} where line {first} has {width} "
                f"(set apart by {delimiter!r}): every line needs the same number"
                f"{'; a note below the table is no row' if len(row) == 1 else ''}."
            )
        yield reader.line_num + before, row


def with_points(row: list[str], delimiter: str) -> list[str]:
    """Where semicolons set the cells apart a comma is a decimal one: spreadsheets write it so."""
    if delimiter != ";" or "," not in "".join(row):
        return row
    return [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in row]


def _is_header(sample: list[list[str]]) -> bool:
    """Whether the first row has text above values, text and no value at all, or numbers in steps of 1."""
    if counts_up(sample):
        return True
    texts = [j for j, cell in enumerate(sample[0]) if not is_missing(cell) and not _is_value(cell)]
    if texts and not any(map(_is_value, sample[0])):
        return True
    below = [row for row in sample[1:] if len(row) == len(sample[0])]
    return any(_is_value(row[j]) for j in texts for row in below)


def counts_up(sample: list[list[str]]) -> bool:
    """Whether the first row counts columns (0, 1, 2 as data frames do) or years, above other values."""
    first, below = sample[0], [row for row in sample[1:] if len(row) == len(sample[0])]
    if len(first) < 2 or not below or not all(cell.strip().isdecimal() for cell in first):
        return False
    numbers = [int(cell) for cell in first]
    if numbers[0] not in (0, 1, *_YEARS) or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return False
    return len(first) > 3 or all(any("." in row[j] for row in below) for j in range(len(first)))


def _is_value(cell: str) -> bool:
    """Whether a cell holds a number, a date or a time, in whatever form."""
    if number(cell) is not None:
        return is_number(cell)
    found = parts_of_cell(cell)
    alone = found is not None and (found.unit.lead or not found.unit.tail or not cell.strip()[:1].isalpha())
    return bool(alone) or hours_in(cell) is not None or is_date(cell)


def distinct(names: list[str]) -> list[str]:
    """Give a name to the columns without one, and number those that share one."""
    result: list[str] = []
    for j, name in enumerate(names):
        name = name.strip() or f"column {j}"
        count = sum(other.strip() == name for other in names[:j])
        result.append(next(free for free in _numbered(name, count) if free not in result))
    return result


def _numbered(name: str, count: int) -> Iterator[str]:
    if not count:
        yield name
    yield from (f"{name}.{number}" for number in range(max(count, 1), 1_000_000))


def _without_ends(rows: list[list[str]]) -> list[list[str]]:
    """Leave off names that are empty at the end, where no row has cells there."""
    width = len(rows[0]) - next((j for j, name in enumerate(reversed(rows[0])) if name.strip()), 0)
    if any(cell.strip() for row in rows[1:] for cell in row[width:]):
        return rows
    return [row[:width] for row in rows]
