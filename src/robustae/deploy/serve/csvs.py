"""CSV bodies: rows in, scores out."""

import csv
import io
from collections.abc import Iterator
from itertools import islice

from robustae.data.text import delimiter_of, with_points
from robustae.data.writers import csv_bytes
from robustae.deploy.records import Intake
from robustae.deploy.serve.answers import Answer, by_column
from robustae.deploy.serve.limits import Limits, too_many_rows
from robustae.utils.checks import InputError

__all__ = ["read_csv", "write_csv"]

HEAD = 50  # lines looked at to tell the delimiter


def read_csv(body: bytes, intake: Intake, limits: Limits):
    """Return the rows of a text, with a line of names or, where the model takes numbers, without.

    Raises
    ------
    InputError
        If it is no CSV in UTF-8, or has no rows.
    """
    lines = _lines(body, limits)
    first = next(lines, None)
    if first is None:
        raise InputError("the body is empty: send CSV, its first line the names of the columns.")
    names = intake.heading(first)
    rows = [*([first] if names is None else []), *lines]
    if not rows:
        raise InputError("the body has a line of names and no rows.")
    too_many_rows(len(rows), limits)
    return intake.rows(list(zip(*rows, strict=True)), names)


def _lines(body: bytes, limits: Limits) -> Iterator[list[str]]:
    """Yield the cells of each line that is not blank; all of one width."""
    text = io.StringIO(_text(body), newline="")
    head = [line for line in islice(text, HEAD) if line.strip()]
    text.seek(0)
    width = 0
    try:
        delimiter = delimiter_of(head)
        for row in csv.reader(text, delimiter=delimiter):
            width = width or len(row)
            if row and len(row) != width:
                raise InputError(f"every line needs {width} cells, and one has {len(row)}: {_start(row)}")
            if row:
                yield with_points(row, delimiter)
    except csv.Error as error:
        raise InputError(f"the body is no CSV: {error}.") from None


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the body is not UTF-8: byte 0x{body[error.start]:02x} at {error.start}.") from None


def _start(row: list[str]) -> str:
    return repr(",".join(row)[:40])


def write_csv(found: Answer, intake: Intake) -> bytes:
    """Return an answer as a text with a line of names."""
    return csv_bytes(by_column(found, intake.columns))
