"""What a line says: a row of cells, as CSV or as JSON."""

import csv
import json
from collections.abc import Sequence
from typing import Any, Protocol

from robustae.data.text import delimiter_of, with_points
from robustae.deploy.records import RowReader
from robustae.utils.checks import InputError

__all__ = ["FORMATS", "LineReader", "format_of", "reader_for"]

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


def reader_for(text: str, kind: str, row_reader: RowReader) -> tuple[LineReader, bool]:
    """Return the reader for lines that begin with this one, and whether it is a line of names.

    Raises
    ------
    InputError
        If it names columns, and not all that the model needs.
    """
    if kind == "jsonl":
        return _Json(row_reader), False
    delimiter = delimiter_of([text])
    cells = _cells(text, delimiter)
    names = row_reader.heading(cells)
    width = len(cells if names is not None else row_reader.columns)
    return _Csv(row_reader.places(names, width), width, delimiter), names is not None


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise InputError(f"it is no line of CSV: {error}.") from None
    return with_points(cells, delimiter)


class _Csv:
    def __init__(self, places: list[int], width: int, delimiter: str):
        self.places, self.width, self.delimiter = places, width, delimiter

    def row(self, text: str) -> Sequence[Any]:
        cells = _cells(text, self.delimiter)
        if len(cells) != self.width:
            raise InputError(f"it has {len(cells)} cells, and {self.width} are needed.")
        return [cells[j] for j in self.places]


class _Json:
    def __init__(self, row_reader: RowReader):
        self.row_reader = row_reader

    def row(self, text: str) -> Sequence[Any]:
        try:
            value = json.loads(text)
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
