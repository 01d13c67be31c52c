"""Files of cells as batches of numbers: by pyarrow where all cells are plain numbers, else cell by cell."""

import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np

from robustae.data.batches import of_arrow, places, refuse_kind
from robustae.data.cells import RARE, numbers_of
from robustae.data.coding import measured
from robustae.data.column_kinds import Column, as_measured
from robustae.data.deciding import decided, refuse_either
from robustae.data.mixed import MixedTable
from robustae.data.options import ReadOptions
from robustae.data.quick import NULLS, arrow_csv
from robustae.data.refusals import readable
from robustae.data.table import slipped
from robustae.data.tabular import CellFile
from robustae.data.text import TextFile
from robustae.data.values import is_text, plain

__all__ = ["CellPart"]

HEAD = 5  # blocks from which it is decided how columns are written
_BYTES = 1 << 22  # that pyarrow parses at a time


class CellPart:
    """One file of cells.

    Attributes
    ----------
    kinds : dict of str to Column
        What the columns hold and how they are written: as the first rows show, or as another file's.
    """

    n_rows = None  # not known before reading

    def __init__(self, file: CellFile, options: ReadOptions):
        self.path, self.columns, self.named = file.path, file.columns, file.named
        self._file, self._options = file, options
        self._given: dict[str, Column] = {}

    @property
    def about_rows(self) -> int:
        """Rows in all, estimated."""
        return self._file.about_rows

    def read_like(self, kinds: dict[str, Column]) -> None:
        """Read the columns as those of another file."""
        self._given = kinds

    @cached_property
    def kinds(self) -> dict[str, Column]:
        """Those columns that are numbers, truth values or dates."""
        with readable(self.path):
            blocks = [cells for _, cells in islice(self._file.blocks(), HEAD)]
        values = {
            name: plain(_objects(chain(*(cells[j] for cells in blocks))))
            for j, name in enumerate(self.columns)
        }
        texts = {name: cells.tolist() for name, cells in values.items() if is_text(cells)}
        spellings = decided(texts, self._options.hints(self._file.dialect.delimiter))
        found = {name: as_measured(name, cells, spellings.get(name)) for name, cells in values.items()}
        return {name: column for name, column in found.items() if column is not None} | self._given

    def tables(self, rows: int) -> Iterator[MixedTable]:
        """Yield the rows as tables of the cells as they are, a few thousand at a time."""
        hints = self._options.hints(self._file.dialect.delimiter)
        with readable(self.path):
            for _, cells in self._file.blocks():
                columns = {name: _objects(down) for name, down in zip(self.columns, cells, strict=True)}
                yield MixedTable(columns, hints=hints, most_unreadable=self._options.unreadable)

    def check(self, columns: list[str]) -> None:
        """Refuse columns that are no numbers, truth values or dates."""
        for name, j in zip(columns, places(columns, self.columns, repr(str(self.path))), strict=True):
            column = self.kinds.get(name)
            if column is None:
                cells = [row[j] for row in self._file.sample if len(row) > j and row[j] not in (None, "")]
                refuse_kind(
                    name, f"text ({str(cells[0]).strip()[:40] if cells else ''!r})", repr(str(self.path))
                )
            elif column.spelling is not None:
                refuse_either(name, column.spelling)

    def batches(self, columns: list[str], rows: int, start: int = 0) -> Iterator[np.ndarray]:
        """Yield the rows; `start` is 0, for rows of text have no known place."""
        with readable(self.path):
            done = yield from self._quick(columns)
            if done is not None:
                yield from self._careful(columns, done)

    def _quick(self, columns: list[str]) -> Generator[np.ndarray, None, int | None]:
        """Yield rows while pyarrow takes each cell for a number or missing; return how many, if not all."""
        done, arrow = 0, arrow_csv()
        if arrow is None or not self._plain(columns):
            return done
        try:
            for batch in self._parsed(arrow, columns):
                rows = of_arrow(batch)
                if np.isnan(rows).all(axis=1).any():  # nothing but separators: a row, or the end
                    return done
                yield rows
                done += len(batch)
        except arrow.ArrowInvalid:
            return done
        return None

    def _plain(self, columns: list[str]) -> bool:
        """Whether pyarrow reads these columns as we do."""
        file = self._file
        plain_text = (
            isinstance(file, TextFile)
            and file.dialect.encoding == "utf-8"
            and file.path.suffix != ".gz"
            and not file.below
            and not any("\n" in name or "\r" in name for name in file.columns)
        )
        found = [self.kinds.get(name) for name in columns]
        return plain_text and all(
            one is not None and one.kind == "number" and not _marked(one) for one in found
        )

    def _parsed(self, arrow: Any, columns: list[str]) -> Iterator[Any]:
        file: Any = self._file
        csv, skipped = arrow.csv, file.preamble + self.named
        cells = csv.ConvertOptions(
            column_types=dict.fromkeys(columns, arrow.float64()),
            include_columns=columns,
            null_values=NULLS,
        )
        file = csv.ReadOptions(block_size=_BYTES, column_names=self.columns, skip_rows=skipped)
        lines = csv.ParseOptions(delimiter=self._file.dialect.delimiter, newlines_in_values=True)
        with csv.open_csv(self.path, file, lines, cells) as batches:
            yield from batches

    def _careful(self, columns: list[str], done: int) -> Iterator[np.ndarray]:
        """Yield rows from `done` on, cell by cell."""
        at = places(columns, self.columns, repr(str(self.path)))
        slips = _Slips([self.kinds[name] for name in columns], done, str(self.path))
        for lines, cells in self._file.blocks():
            if len(lines) > done:
                yield slips.numbers([cells[j][done:] for j in at], np.array(lines[done:]))
            done = max(0, done - len(lines))
        slips.warn()


def _marked(column: Column) -> bool:
    """Whether its numbers have marks or units."""
    found = column.spelling
    return found is not None and not found.as_programs_write


class _Slips:
    """Cells that are unreadable in columns of numbers: few are missing values, more make a column of text."""

    def __init__(self, columns: list[Column], rows: int, path: str):
        self.columns, self.path = columns, path
        self.rows = np.full(len(columns), rows)
        self.first: dict[str, str] = {}
        self.count = dict.fromkeys((column.name for column in columns), 0)

    def numbers(self, cells: Sequence[Sequence[Any]], lines: np.ndarray) -> np.ndarray:
        """Return columns of cells as rows of numbers."""
        X = np.empty((len(cells), len(lines)))
        for j, column in enumerate(self.columns):
            X[j], slips = self._column(column, cells[j])
            name = column.name
            if slips.any():
                self.first.setdefault(name, slipped(cells[j], slips, lines).partition(" and ")[0])
            self.count[name] += int(slips.sum())
            self.rows[j] += int(slips.sum()) + np.count_nonzero(X[j] == X[j])
            if self.count[name] > RARE * self.rows[j]:
                refuse_kind(name, self.first[name], repr(self.path))
        return X.T

    def _column(self, column: Column, cells: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        if column.kind == "number" and not _marked(column) and all(isinstance(cell, str) for cell in cells):
            numbers, slips = numbers_of(cells)
            if not slips:
                return numbers, np.zeros(len(cells), bool)
        return measured(column, plain(_objects(cells)))

    def warn(self) -> None:
        """Say what was taken as missing."""
        if self.first:
            each = ", ".join(f"{name} ({self._of(name)})" for name in list(self.first)[:8])
            warnings.warn(f"{self.path}: taken as missing: {each}.", UserWarning, stacklevel=2)

    def _of(self, name: str) -> str:
        more = self.count[name] - 1
        return self.first[name] + (f" and {more} more" if more else "")


def _objects(cells: Iterable[Any]) -> np.ndarray:
    found = list(cells)
    out = np.empty(len(found), dtype=object)
    out[:] = found
    return out
