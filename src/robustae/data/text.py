"""CSV and its kin: the delimiter and the header are told from the first lines."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np

from robustae.data.mixed import MixedTable
from robustae.data.table import RARE, Raw, Request, Table, is_number, number, numbers_of
from robustae.utils.checks import InputError

_DELIMITERS = "\t;,"
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(e[+-]?\d+)?\s*", re.IGNORECASE)
_BLOCK = 4096  # rows turned into numbers at a time
_HEAD = 1 << 16  # bytes looked at to tell the delimiter and the header

Rows = Iterator[tuple[int, list[str]]]


class _Column:
    """One column of a text file, gathered block by block."""

    def __init__(self, name: str, why: str = "", keep_text: bool = False) -> None:
        self.name, self.why = name, why
        self.numbers = self.slips = 0
        self.first_slip = ""
        self.parts: list[np.ndarray] = []
        self.texts: list[str] | None = [] if keep_text else None

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        if self.texts is not None:
            self.texts.extend(cells)
        elif not self.why:
            self._add_numbers(cells, lines)

    def _add_numbers(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        numbers, slips = numbers_of(cells)
        self.parts.append(numbers)
        self.numbers += len(numbers) - int(np.isnan(numbers).sum())
        self.slips += len(slips)
        if slips and not self.first_slip:
            self.first_slip = slip(cells[slips[0]], lines[slips[0]])
        if self.slips > RARE * (self.numbers + self.slips):
            self.why, self.parts = self.first_slip, []

    def slipped(self) -> str:
        """What was text in a column of numbers."""
        return self.first_slip + (f" and {self.slips - 1} more" if self.slips > 1 else "")


def slip(cell: str, line: int) -> str:
    comma = " (decimals need a point)" if number(cell.replace(",", ".", 1)) is not None else ""
    return f"text {cell.strip()[:40]!r} on line {line}{comma}"


@dataclass(frozen=True)
class Layout:
    """What sets the cells of a file apart, whether it has a header, its columns, and its first rows."""

    delimiter: str
    named: bool
    names: list[str]
    sample: list[list[str]]


def layout(file: Path) -> Layout:
    """Tell how a file of delimited text is laid out."""
    sample, delimiter = _sample(file)
    named = _is_header(sample)
    names = _distinct(sample[0]) if named else [str(j) for j in range(len(sample[0]))]
    return Layout(delimiter, named, names, sample[1:] if named else sample)


def read_text(file: Path, request: Request) -> Raw:
    """Read a file of delimited text: as numbers, or as written where a column holds other text."""
    found = layout(file)
    names, named, delimiter = found.names, found.named, found.delimiter
    dropped, label = request.left_out(names)
    columns = [_Column(name, dropped.get(name, ""), name == label) for name in names]
    with opened(file, delimiter, named) as rows:
        count = _gather(rows, columns)
    if not count:
        raise InputError(f"{str(file)!r} has a header and no rows.")
    kept = [column for column in columns if column.name not in dropped]
    if not kept:
        raise InputError(f"{str(file)!r} has no column beside the label and those to drop.")
    if any(column.why for column in kept):
        values = MixedTable(_as_written(file, delimiter, named, columns, dropped))
    else:
        values = np.column_stack([np.concatenate(column.parts) for column in kept])
    slips = {column.name: column.slipped() for column in kept if column.slips and not column.why}
    table = Table(values, [column.name for column in kept], None, dropped, named, ".csv", slips)
    return table, next((c.texts for c in columns if c.texts is not None), None)


def _as_written(
    file: Path, delimiter: str, named: bool, columns: list[_Column], dropped: dict[str, str]
) -> dict[str, np.ndarray]:
    """Read once more, for the texts: only few files need them, and numbers take less room."""
    texts = [_Column(column.name, column.name, column.name not in dropped) for column in columns]
    with opened(file, delimiter, named) as rows:
        _gather(rows, texts)
    return {column.name: np.array(column.texts, dtype=object) for column in texts if column.texts is not None}


@contextmanager
def opened(file: Path, delimiter: str, named: bool) -> Iterator[Rows]:
    """Open the rows below the header."""
    with open(file, encoding="utf-8-sig", newline="") as text:
        rows = _rows(text, delimiter)
        if named:
            next(rows)
        yield rows


def _sample(file: Path) -> tuple[list[list[str]], str]:
    """Return the first rows and what sets their cells apart."""
    with open(file, "rb") as binary:
        head = binary.read(_HEAD)
    if b"\0" in head or head.startswith((b"PK\x03\x04", b"%PDF", b"\x1f\x8b")):
        raise InputError(f"{str(file)!r} is not text: use CSV, Parquet, .npy or .npz.")
    # A character cut in two at the end of the head is no fault of the file.
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    lines = list(io.StringIO(text, newline=""))  # no other ends of lines than below
    lines = [line for line in (lines[:-1] if len(head) == _HEAD else lines) if line.strip()][:50]
    if not lines:
        raise InputError(f"{str(file)!r} is empty.")
    delimiter = delimiter_of(lines)
    return [with_points(row, delimiter) for row in _reader(lines, delimiter) if row], delimiter


def delimiter_of(lines: list[str]) -> str:
    """Return what sets the cells of lines apart: tab, semicolon or comma."""
    for delimiter in _DELIMITERS:
        widths = {len(row) for row in _reader(lines, delimiter) if row}
        if len(widths) == 1 and widths != {1}:
            return delimiter
    # None fits every line: the likeliest one is kept, so that the odd line can be named.
    return max(reversed(_DELIMITERS), key=lambda delimiter: sum(line.count(delimiter) for line in lines))


def _reader(lines: IO[str] | list[str], delimiter: str):
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _rows(text: IO[str], delimiter: str) -> Rows:
    """Yield the line number and the cells of each row that is not blank; all of one width."""
    reader = _reader(text, delimiter)
    width = first = 0
    for row in reader:
        if not row or (row == [""] and width != 1):
            continue
        if not width:
            width, first = len(row), reader.line_num
        if len(row) != width:
            raise InputError(
                f"line {reader.line_num} has {len(row)} cells where line {first} has {width} "
                f"(set apart by {delimiter!r}): every line needs the same number."
            )
        yield reader.line_num, with_points(row, delimiter)


def with_points(row: list[str], delimiter: str) -> list[str]:
    """Where semicolons set the cells apart a comma is a decimal one: spreadsheets write it so."""
    if delimiter != ";" or "," not in "".join(row):
        return row
    return [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in row]


def _is_header(sample: list[list[str]]) -> bool:
    """Whether the first row has text above numbers, or text and no number at all."""
    texts = [j for j, cell in enumerate(sample[0]) if number(cell) is None]
    if texts and not any(map(is_number, sample[0])):
        return True
    below = [row for row in sample[1:] if len(row) == len(sample[0])]
    return any(is_number(row[j]) for j in texts for row in below)


def _distinct(names: list[str]) -> list[str]:
    """Give a name to the columns without one, and number those that share one."""
    result: list[str] = []
    for j, name in enumerate(name.strip() or f"column {j}" for j, name in enumerate(names)):
        taken = [other for other in names[:j] if other.strip() == name]
        result.append(f"{name}.{len(taken)}" if taken else name)
    return result


def _gather(rows: Rows, columns: list[_Column]) -> int:
    count = 0
    while block := list(islice(rows, _BLOCK)):
        lines, cells = zip(*block, strict=True)
        for column, down in zip(columns, zip(*cells, strict=True), strict=True):
            column.add(down, lines)
        count += len(block)
    return count
