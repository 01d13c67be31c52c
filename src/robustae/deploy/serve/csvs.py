"""CSV bodies: rows in, scores out."""

import csv
import io
from collections.abc import Iterator
from itertools import islice

from robustae.data.text import delimiter_of
from robustae.data.writers import csv_bytes
from robustae.deploy.records import RowReader
from robustae.deploy.serve.answers import Answer, by_column
from robustae.deploy.serve.limits import Limits, too_many_cells, too_many_columns, too_many_rows
from robustae.utils.checks import InputError

__all__ = ["read_csv", "write_csv"]

HEAD, LONGEST_HEAD = 50, 2**17  # lines read to find the delimiter, and characters of each


def read_csv(body: bytes, row_reader: RowReader, limits: Limits):
    """Return the rows of a text, with a line of names or, where the model takes numbers, without.

    Raises
    ------
    InputError
        If it is no CSV in UTF-8, or has no rows.
    """
    lines = _lines(body, row_reader, limits)
    first = next(lines, None)
    if first is None:
        raise InputError("the body is empty: send CSV, its first line the names of the columns.")
    names = row_reader.heading(first)
    rows = [*([first] if names is None else []), *lines]
    if not rows:
        raise InputError("the body has a line of names and no rows.")
    too_many_rows(len(rows), limits)
    return row_reader.rows(list(zip(*rows, strict=True)), names)


def _lines(body: bytes, row_reader: RowReader, limits: Limits) -> Iterator[list[str]]:
    """Yield the cells of each line that is not blank; all of one width, and no more than are taken."""
    text = io.StringIO(_text(body), newline="")
    head = [line[:LONGEST_HEAD] for line in islice(text, HEAD) if line.strip()]
    text.seek(0)
    width = count = 0
    try:
        delimiter = delimiter_of(head)
        for row in filter(None, csv.reader(text, delimiter=delimiter)):
            if not width:
                width = len(row)
                too_many_columns(width, limits)
            if len(row) != width:
                raise InputError(f"every line needs {width} cells, and one has {len(row)}: {_start(row)}")
            count += 1
            too_many_rows(count - 1, limits)  # one may be that of names
            too_many_cells(count * width, limits)
            yield row_reader.cells(row, delimiter)
    except csv.Error as error:
        raise InputError(f"the body is no CSV: {error}.") from None


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the body is not UTF-8: byte 0x{body[error.start]:02x} at {error.start}.") from None


def _start(row: list[str]) -> str:
    return repr(",".join(row[:40])[:40])


def write_csv(found: Answer, row_reader: RowReader) -> bytes:
    """Return an answer as a text with a line of names."""
    return csv_bytes(by_column(found, row_reader.columns))
