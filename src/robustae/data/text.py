"""CSV and its kin: encoding, delimiter and header follow from the first lines, unless they are given."""

import codecs
import gzip
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from robustae.data.dialect import Dialect
from robustae.data.encodings import as_western, marked
from robustae.data.layout import HEAD, layout_of, reader
from robustae.data.options import ReadOptions
from robustae.utils.checks import InputError

__all__ = ["Block", "TextFile", "first_lines", "opened_bytes", "rows_of", "separator_in"]

_SEP_LINE = re.compile(r'"?sep=(.)"?\s*')
_BLOCK = 4096  # rows at a time
_HEAD = 1 << 20  # characters of the first lines, at most, from which the layout follows
_LONGEST = 1 << 26  # characters of the first line
_BYTES = 1 << 24  # that must be UTF-8, unless the encoding is given
_OTHER_KINDS = (b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0", b"PAR1", b"\x93NUMPY", b"ARROW1")

Row = tuple[int, list[str]]  # its line, and its cells
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
    preamble : int
        Lines before the names, or before the first row.
    below : int
        Rows between the names and the first row of data.
    sample : list of list of str
        The first rows.
    """

    suffix = ".csv"

    def __init__(self, path: Path, options: ReadOptions):
        self.path = path
        encoding, note = _encoding(path, options)
        with _opened(path, encoding) as text:
            given, numbers, lines = first_lines(text)
        if not lines:
            raise InputError(f"{str(path)!r} is empty.")
        found = layout_of(lines, options.delimiter or given)
        self.preamble = numbers[found.above] if found.above or given else 0
        self.dialect = Dialect(found.delimiter, encoding)
        self.named, self.below = found.named, found.below
        self.columns, self.sample = found.columns, found.sample
        self._notes = dict.fromkeys(filter(None, [note, *found.notes]))

    @property
    def note(self) -> str:
        """What should be known about how it is read, as far as it was read."""
        return "; ".join(self._notes)

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
            bare: list[int] = []
            rows = rows_of(text, self.dialect.delimiter, len(self.columns), self.preamble, bare)
            if self.named:
                rows = self._without_names(rows)
            while block := list(islice(rows, _BLOCK)):
                lines, cells = zip(*block, strict=True)
                yield lines, list(zip(*cells, strict=True))
        if bare:
            self._notes[_note_on_bare(bare)] = None

    def _without_names(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows behind the names, without those that name the columns again, as in files put together."""
        names = next(rows)[1]
        for line, row in islice(rows, self.below, None):
            if row == names:
                self._notes[f"line {line} has the names of the columns again, and is no row"] = None
            else:
                yield line, row


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
        mark = marked(head)
        if head.startswith(_OTHER_KINDS) or (b"\0" in head and not (mark or options.encoding)):
            raise InputError(
                f"{str(path)!r} is not text: use CSV, JSON lines, Parquet, .xlsx, .npy or .npz (UTF-16 "
                "without its mark: --encoding utf-16-le)."
            )
        if options.encoding or mark:
            return options.encoding or str(mark), ""
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head + binary.read(_BYTES))
        except UnicodeDecodeError as error:
            return _western(path, error)
    return "utf-8", ""


def _western(path: Path, error: UnicodeDecodeError) -> tuple[str, str]:
    if as_western(bytes(error.object)) is None:
        raise error
    return "cp1252", f"{path.name} is not UTF-8 and is read as Windows-1252 (--encoding names another)"


def first_lines(text: IO[str]) -> tuple[str | None, list[int], list[str]]:
    """Return the separator that a first line sep=; gives, and the first lines that are not blank.

    With each line goes how many are above it.
    """
    numbers: list[int] = []
    lines: list[str] = []
    size = above = 0
    while len(lines) < HEAD and size < _HEAD and (line := text.readline(_LONGEST)):
        size += len(line)
        if line.strip():
            numbers.append(above)
            lines.append(line)
        above += 1
    given = separator_in(lines[0]) if lines else None
    start = int(given is not None)
    return given, numbers[start:], lines[start:]


def separator_in(line: str) -> str | None:
    """The separator that a line sep=; gives; None where it is another line."""
    found = _SEP_LINE.fullmatch(line)
    return found and found[1]


def rows_of(
    text: Iterable[str],
    delimiter: str,
    width: int,
    before: int = 0,
    bare: list[int] | None = None,
    ending: list[int] | None = None,
) -> Iterator[Row]:
    """Yield the line number and the cells of each row; all of one width.

    Separators at the end of a line, which set off nothing, do not count; nor do blank lines, and lines of
    nothing but separators: `bare` gets those that others follow, `ending` those that none follows.
    """
    cells_of = reader(text, delimiter)
    first = 0
    waiting: list[int] = []
    for row in cells_of:
        if not row or (row == [""] and width != 1):
            continue
        line = cells_of.line_num + before
        first = first or line
        if len(row) > width and not any(map(str.strip, row[width:])):
            row = row[:width]
        if row == ["\x1a"]:  # the end of a file under DOS
            return
        if len(row) != width:
            raise _ragged(len(row), line, first, width, delimiter)
        if width > 1 and not any(map(str.strip, row)):
            waiting.append(line)
            continue
        if waiting and bare is not None:
            bare += waiting
        waiting.clear()
        yield line, row
    if ending is not None:
        ending += waiting


def _note_on_bare(lines: list[int]) -> str:
    if len(lines) == 1:
        return f"line {lines[0]} has nothing but separators, and is no row"
    return f"line {lines[0]} and {len(lines) - 1} more have nothing but separators, and are no rows"


def _ragged(found: int, line: int, first: int, width: int, delimiter: str) -> InputError:
    cells = "1 cell" if found == 1 else f"{found} cells"
    return InputError(
        f"line {line} has {cells} where line {first} has {width} "
        f"(set apart by {delimiter!r}): every line needs the same number"
        f"{'; a note below the table is no row' if found == 1 else ''}."
    )
