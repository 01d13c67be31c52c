"""CSV bodies: rows in, scores out."""

import csv
import io
from collections.abc import Iterator
from itertools import islice

from robustae.data.layout import Layout, layout_of
from robustae.data.text import first_lines, rows_of
from robustae.data.writers import csv_bytes
from robustae.deploy.records import RowReader
from robustae.deploy.serve.answers import Answer, by_column
from robustae.deploy.serve.limits import Limits, too_many_cells, too_many_columns, too_many_rows
from robustae.utils.checks import InputError

__all__ = ["as_utf8", "read_csv", "write_csv"]

LONGEST_HEAD = 2**17  # characters of each of the first lines, from which the layout follows


def read_csv(body: bytes, row_reader: RowReader, limits: Limits):
    """Return the rows of a text, with a line of names or, where the model takes numbers, without.

    Raises
    ------
    InputError
        If it is no CSV in UTF-8, or has no rows.
    """
    text = io.StringIO(_text(body), newline="")
    layout = _layout(text)
    if layout is None:
        raise InputError("the body is empty: send CSV, its first line the names of the columns.")
    rows = _rows(text, layout, row_reader, limits)
    first = next(rows, None)
    if first is None:
        raise InputError("no row of the body has an observed cell.")
    names = row_reader.heading(first)
    below = layout.below if names else 0
    found = [first] * (names is None) + [
        row for row in islice(rows, below, None) if not names or row != first
    ]
    if not found:
        raise InputError("the body has a line of names and no rows.")
    too_many_rows(len(found), limits)
    return row_reader.rows(list(zip(*found, strict=True)), names)


def _rows(text: io.StringIO, layout: Layout, row_reader: RowReader, limits: Limits) -> Iterator[list[str]]:
    """Yield the cells of each row; all of one width, and no more than are taken."""
    width = len(layout.columns)
    too_many_columns(width, limits)
    bare: list[int] = []  # an answer would not tell that they are left out
    try:
        for count, (_, row) in enumerate(rows_of(text, layout.delimiter, width, bare=bare, ending=bare)):
            _none_bare(bare)
            too_many_rows(count, limits)  # one may be that of names
            too_many_cells((count + 1) * width, limits)
            yield row_reader.cells(row, layout.delimiter)
        _none_bare(bare)
    except csv.Error as error:
        raise InputError(f"the body is no CSV: {error}.") from None


def _none_bare(lines: list[int]) -> None:
    if lines:
        raise InputError(f"line {lines[0]} has no observed cell.")


def _layout(text: io.StringIO) -> Layout | None:
    """The layout of a text, which is left at its names, or its first row."""
    given, numbers, lines = first_lines(text)
    text.seek(0)
    if not lines:
        return None
    found = layout_of([line[:LONGEST_HEAD] for line in lines], given)
    for _ in range(numbers[found.above] if found.above or given else 0):
        text.readline()
    return found


def as_utf8(body: bytes, charset: str) -> bytes:
    """Return a text in UTF-8.

    Raises
    ------
    InputError
        If it is not in the encoding that is named.
    """
    try:
        return body.decode(charset).encode()
    except UnicodeError as error:
        raise InputError(f"the body is not {charset}: {error}.") from None


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the body is not UTF-8: byte 0x{body[error.start]:02x} at {error.start}; the content type "
            "names another encoding, as in text/csv; charset=windows-1252."
        ) from None


def write_csv(found: Answer, row_reader: RowReader) -> bytes:
    """Return an answer as a text with a line of names."""
    return csv_bytes(by_column(found, row_reader.columns))
