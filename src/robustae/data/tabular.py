"""A file of text cells read as a whole: as a matrix where all columns are plain numbers, else as written."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from robustae.data.cells import numbers_of
from robustae.data.deciding import decided, may_be_no_amount
from robustae.data.dialect import Dialect, unguarded
from robustae.data.joining import same_columns
from robustae.data.mixed import MixedTable
from robustae.data.numerals import is_either
from robustae.data.options import ReadOptions
from robustae.data.periods import are_periods
from robustae.data.quick import matrix_of_file
from robustae.data.spelling import Hints, plainly
from robustae.data.table import Raw, Request, Table, slipped
from robustae.data.text import Block
from robustae.data.values import is_text, plain
from robustae.utils.checks import InputError, known_names

__all__ = ["CellFile", "Chained", "read_whole"]


class CellFile(Protocol):
    """A file whose rows are cells: texts, or typed values where the format has them."""

    path: Path
    columns: list[str]
    named: bool
    dialect: Dialect
    suffix: str
    sample: list[list[Any]]

    @property
    def note(self) -> str:
        """What should be known about how it is read, as far as it was read."""
        ...

    @property
    def about_rows(self) -> int:
        """Rows in all, estimated."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Yield lines and cells by column, some rows at a time."""
        ...


class Chained:
    """Files of the same columns as one."""

    def __init__(self, files: Sequence[CellFile]):
        self._files = files
        first = files[0]
        self.path, self.columns, self.named, self.sample = (
            first.path,
            first.columns,
            first.named,
            first.sample,
        )
        self.dialect, self.suffix = first.dialect, first.suffix
        self._at = [same_columns(file.columns, self.columns, file.path, self.path) for file in files]

    @property
    def note(self) -> str:
        """What should be known about how they are read, as far as they were."""
        return "; ".join(dict.fromkeys(file.note for file in self._files if file.note))

    @property
    def about_rows(self) -> int:
        """Rows in all, estimated."""
        return sum(file.about_rows for file in self._files)

    def blocks(self) -> Iterator[Block]:
        """Yield lines and cells by column, file by file."""
        for file, at in zip(self._files, self._at, strict=True):
            for lines, cells in file.blocks():
                yield lines, [cells[j] for j in at]


class _Column:
    """One column, gathered block by block: as plain numbers while it is nothing else, or as its cells."""

    def __init__(self, name: str, keep: bool = False) -> None:
        self.name, self.plain = name, not keep
        self.parts: list[np.ndarray] = []
        self.cells: list[Any] | None = [] if keep else None
        self.point = self.pointed = False  # whether a cell has a point, and one that can only be decimal
        self.digits = False  # whether a cell is digits that may be a code or a date
        self.periods = True  # whether all cells are digits that may be months

    def add(self, cells: Sequence[Any]) -> None:
        if self.cells is not None:
            self.cells.extend(unguarded(cell) if isinstance(cell, str) else cell for cell in cells)
        elif self.plain:
            self._add_numbers(cells)

    def _add_numbers(self, cells: Sequence[Any]) -> None:
        texts = ["" if cell is None else cell for cell in cells]
        if not all(isinstance(cell, str) for cell in texts):
            return self._add_typed(texts)
        numbers, others = numbers_of(texts)
        self.plain = not others
        self.parts.append(numbers)
        self.digits = self.digits or may_be_no_amount(texts)
        self.periods = self.periods and are_periods(texts)
        if not self.point and "." in "".join(texts):
            self.pointed, self.point = True, any("." in cell and not is_either(cell) for cell in texts)
        return None

    def _add_typed(self, cells: Sequence[Any]) -> None:
        self.periods = False
        self.plain = all(cell == "" or type(cell) in (int, float, bool) for cell in cells)
        if self.plain:
            self.parts.append(np.array([np.nan if cell == "" else float(cell) for cell in cells]))

    @property
    def empty(self) -> bool:
        """Whether no cell holds a number."""
        return self.plain and all(np.isnan(part).all() for part in self.parts)


def read_whole(file: CellFile, request: Request, options: ReadOptions) -> Raw:
    """Read a file of cells.

    Returns
    -------
    Table, and the label as it stands in the file (None where not asked for).

    Raises
    ------
    InputError
        If it has no rows, or no column is left.
    """
    names = file.columns
    dropped, label = request.left_out(names)
    aside = {name for name in (label, request.identifier_in(names)) if name is not None}
    kept = [name for name in names if name not in dropped]
    if kept and not aside and (found := matrix_of_file(file, kept, options)):
        notes = [file.note] if file.note else []
        table = Table(found[0], kept, None, dropped, file.named, file.suffix, notes=notes)
        return replace(table, lines=found[1], dialect=replace(file.dialect, decimal=".")), None
    columns = {name: _Column(name, name in aside) for name in names if name not in dropped or name in aside}
    lines = _gather(file, columns)
    if not len(lines):
        raise InputError(f"{str(file.path)!r} has a header and no rows.")
    if not kept:
        raise InputError(f"{str(file.path)!r} has no column beside the label and those to drop.")
    values, decimal = _values(file, {name: columns[name] for name in kept}, options)
    table = Table(values, kept, None, dropped, file.named, file.suffix)
    dialect = replace(file.dialect, decimal=decimal)
    ids = {name: np.array(columns[name].cells, dtype=object) for name in aside if name != label}
    notes = [file.note] if file.note else []
    table = replace(
        table, lines=lines, dialect=dialect, identifiers=ids, notes=notes, slips=slips(values, lines)
    )
    return table, None if label is None else columns[label].cells


def slips(values: Any, lines: np.ndarray) -> dict[str, str]:
    """The cells in columns of numbers and dates that are neither, by column: the first, and how many."""
    if not isinstance(values, MixedTable) or values.spellings is None:
        return {}
    found = {}
    for name, spelling in values.spellings.items():
        if spelling is not None:
            cells = values.columns[name]
            found[name] = slipped(cells, spelling.floats(cells.tolist())[1], lines)
    return {name: text for name, text in found.items() if text}


def _gather(file: CellFile, columns: dict[str, _Column]) -> np.ndarray:
    """Add the cells of a file to columns; return the lines of its rows."""
    at = [(j, columns[name]) for j, name in enumerate(file.columns) if name in columns]
    lines: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    for numbers, cells in file.blocks():
        for j, column in at:
            column.add(cells[j])
        lines.append(np.array(numbers, dtype=np.int64))
    return np.concatenate(lines)


def _values(file: CellFile, columns: dict[str, _Column], options: ReadOptions) -> tuple[Any, str]:
    """The columns as a matrix or a mixed table, and the decimal mark of the file."""
    known_names("column of types", options.types, file.columns)
    points = sum(column.point for column in columns.values() if column.plain)
    hints = options.hints(file.dialect.delimiter, points)
    unsure = [
        name for name, column in columns.items() if column.plain and column.pointed and not column.point
    ]
    as_written = {*options.types, *options.texts}
    texts = [
        name
        for name, column in columns.items()
        if not column.plain or column.digits or column.periods and not column.empty or name in as_written
    ]
    if texts or hints.decimal == "," or unsure and hints.delimiter != ",":
        texts += [name for name, c in columns.items() if name not in texts and c.plain and c.pointed]
    if not texts:
        return np.column_stack([np.concatenate(column.parts) for column in columns.values()]), "."
    mixed, decimal = _mixed(file, list(columns), {*texts}, hints)
    return replace(mixed, most_unreadable=options.unreadable), decimal


def _mixed(file: CellFile, names: list[str], texts: set[str], hints: Hints) -> tuple[MixedTable, str]:
    """Read once more, for the cells as written: only few files need them, and numbers take less room."""
    written = {name: _Column(name, True) for name in names}
    _gather(file, written)
    cells = {name: plain(_objects(column.cells or [])) for name, column in written.items()}
    lists = {name: values.tolist() for name, values in cells.items() if is_text(values)}
    unclear = {name: found for name, found in lists.items() if name in texts}
    spellings = {name: plainly(found) for name, found in lists.items() if name not in texts}
    spellings |= decided(unclear, hints)
    decimals = [one.decimal for one in spellings.values() if one and one.kind == "number" and one.digits]
    decimal = hints.decimal or ("," if decimals.count(",") > decimals.count(".") else ".")
    return MixedTable(cells, hints=hints, spellings=spellings), decimal


def _objects(cells: list[Any]) -> np.ndarray:
    out = np.empty(len(cells), dtype=object)
    out[:] = cells
    return out
