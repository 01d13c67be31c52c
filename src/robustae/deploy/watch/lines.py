"""What a line says: a row of cells, as CSV or as JSON."""

import csv
import json
from collections.abc import Sequence
from typing import Any, Protocol

from robustae.data.layout import are_units, delimiter_of
from robustae.data.text import separator_in
from robustae.deploy.records import RowReader
from robustae.utils.checks import InputError

__all__ = ["FORMATS", "LineReader", "format_of", "is_above", "reader_for", "says_units"]

FORMATS = ("csv", "jsonl")


class LineReader(Protocol):
    """Makes the model's cells of a line."""

    def row(self, text: str) -> Sequence[Any]:
        """Return the cells of a row in the order that the model needs.

        Raises
        ------
        InputError
            One sentence on what is wrong with the line.
        """
        ...


def format_of(text: str) -> str:
    """Tell the format from the first line."""
    return "jsonl" if text.lstrip()[:1] in ("{", "[") else "csv"


def is_above(text: str, row_reader: RowReader) -> bool:
    """Whether a line may be a note above the names: a comment, a separator, or of too few cells for a row."""
    cells = [cell.strip() for cell in _cells(text, delimiter_of([text]))]
    wanted = {*(row_reader.needed or ())}
    if text.startswith("#") or separator_in(text):
        return not wanted or not wanted <= {*cells}
    return sum(map(bool, cells)) < len(wanted or row_reader.columns) and not {*cells} & wanted


def says_units(text: str, reader: LineReader) -> bool:
    """Whether a line below the names has units for cells."""
    try:
        return are_units([str(cell) for cell in reader.row(text)])
    except InputError:
        return False


def reader_for(
    text: str, kind: str, row_reader: RowReader, header: bool | None = None
) -> tuple[LineReader, bool]:
    """Return the reader for lines that begin with this one, and whether it is a line of names.

    `header` decides that, where it is given.

    Raises
    ------
    InputError
        If it names columns, and not all that the model needs.
    """
    if kind == "jsonl":
        return _Json(row_reader), False
    delimiter = delimiter_of([text])
    cells = _cells(text, delimiter)
    names = (
        row_reader.heading(cells) if header is None else [cell.strip() for cell in cells] if header else None
    )
    width = len(cells) if names is not None else len(row_reader.columns) + len(row_reader.skipped)
    places = row_reader.places(names, width)
    return _Csv(row_reader, places, width, delimiter), names is not None


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise InputError(f"it is no line of CSV: {error}.") from None
    return cells


class _Csv:
    def __init__(self, row_reader: RowReader, places: list[int], width: int, delimiter: str):
        self.row_reader, self.places, self.width, self.delimiter = row_reader, places, width, delimiter

    def row(self, text: str) -> Sequence[Any]:
        cells = _cells(text, self.delimiter)
        if len(cells) != self.width:
            raise InputError(f"it has {len(cells)} cells, and {self.width} are needed.")
        cells = self.row_reader.cells(cells, self.delimiter)
        return [cells[j] for j in self.places]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise InputError(f"it has {twin!r} twice: give each column a name of its own.")
    return row


class _Json:
    def __init__(self, row_reader: RowReader):
        self.row_reader = row_reader

    def row(self, text: str) -> Sequence[Any]:
        try:
            value = json.loads(text, object_pairs_hook=_once)
        except InputError:
            raise
        except (ValueError, RecursionError) as error:
            raise InputError(f"it is no JSON: {error}.") from None
        if isinstance(value, dict):
            names, cells = list(value), list(value.values())
        elif isinstance(value, list):
            names, cells = None, value
        else:
            raise InputError("it must be a JSON object, or a list of cells.")
        if any(isinstance(cell, dict | list) for cell in cells):
            raise InputError("its cells must be numbers, texts, true, false or null.")
        return [cells[j] for j in self.row_reader.places(names, len(cells))]
