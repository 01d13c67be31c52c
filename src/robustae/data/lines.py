"""Delimited text as batches of rows: by pyarrow where all cells are plain numbers, else cell by cell."""

import warnings
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from robustae.data.batches import of_arrow, places, refuse_kind
from robustae.data.refusals import readable
from robustae.data.table import RARE, is_missing, number, numbers_of
from robustae.data.text import layout, opened, slip

__all__ = ["TextPart"]

_BLOCK = 4096  # rows turned into numbers at a time
_BYTES = 1 << 22  # that pyarrow parses at a time
_MISSING = ["", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "?", "null", "NULL", "None", "-", "."]


class TextPart:
    """One file."""

    n_rows = None  # not known before reading

    def __init__(self, path: Path):
        self.path = path
        self._layout = layout(path)
        self.columns = self._layout.names
        self.named = self._layout.named

    @property
    def about_rows(self) -> int:
        """Rows in all, as the first lines tell."""
        sample = [sum(map(len, row)) + len(row) for row in self._layout.sample] or [1]
        return max(1, round(self.path.stat().st_size * len(sample) / sum(sample)))

    def check(self, columns: list[str]) -> None:
        """Refuse columns whose first cells are no numbers."""
        where = repr(str(self.path))
        for name, j in zip(columns, places(columns, self.columns, where), strict=True):
            cells = [row[j] for row in self._layout.sample if len(row) > j]
            texts = [cell for cell in cells if number(cell) is None]
            if len(texts) > RARE * sum(not is_missing(cell) for cell in cells):
                refuse_kind(name, f"text ({texts[0].strip()[:40]!r})", where)

    def batches(self, columns: list[str], rows: int, start: int = 0) -> Iterator[np.ndarray]:
        """Yield the rows; `start` is 0, for rows of text have no known place."""
        with readable(self.path):
            done = yield from self._quick(columns)
            if done is not None:
                yield from self._careful(columns, done)

    def _quick(self, columns: list[str]) -> Generator[np.ndarray, None, int | None]:
        """Yield rows while pyarrow takes each cell for a number or missing; return how many, if not all."""
        done, arrow = 0, _arrow()
        if arrow is None:
            return done
        try:
            for batch in self._parsed(arrow, columns):
                yield of_arrow(batch)
                done += len(batch)
        except arrow.ArrowInvalid:
            return done
        return None

    def _parsed(self, arrow: Any, columns: list[str]) -> Iterator[Any]:
        csv, found = arrow.csv, self._layout
        cells = csv.ConvertOptions(
            column_types=dict.fromkeys(columns, arrow.float64()),
            include_columns=columns,
            null_values=_MISSING,
        )
        file = csv.ReadOptions(block_size=_BYTES, column_names=found.names, skip_rows=int(found.named))
        lines = csv.ParseOptions(delimiter=found.delimiter, newlines_in_values=True)
        with csv.open_csv(self.path, file, lines, cells) as batches:
            yield from batches

    def _careful(self, columns: list[str], done: int) -> Iterator[np.ndarray]:
        """Yield rows from `done` on, cell by cell."""
        at = places(columns, self.columns, repr(str(self.path)))
        slips = _Slips(columns, done, str(self.path))
        with opened(self.path, self._layout.delimiter, self._layout.named) as rows:
            next(islice(rows, done - 1, done), None) if done else None
            while block := list(islice(rows, _BLOCK)):
                lines, cells = zip(*block, strict=True)
                down = list(zip(*cells, strict=True))
                yield slips.numbers([down[j] for j in at], lines)
        slips.tell()


class _Slips:
    """Cells of text in columns of numbers: few are missing values, more make a column of text."""

    def __init__(self, columns: list[str], rows: int, path: str):
        self.columns, self.path = columns, path
        self.seen = np.full(len(columns), rows)
        self.first: dict[str, str] = {}
        self.count = dict.fromkeys(columns, 0)

    def numbers(self, cells: Sequence[Sequence[str]], lines: Sequence[int]) -> np.ndarray:
        """Return columns of cells as rows of numbers."""
        X = np.empty((len(cells), len(lines)))
        for j, name in enumerate(self.columns):
            X[j], slips = numbers_of(cells[j])
            if slips:
                self.first.setdefault(name, slip(cells[j][slips[0]], lines[slips[0]]))
            self.count[name] += len(slips)
            self.seen[j] += len(slips) + np.count_nonzero(X[j] == X[j])
            if self.count[name] > RARE * self.seen[j]:
                refuse_kind(name, self.first[name], repr(self.path))
        return X.T

    def tell(self) -> None:
        """Say what was taken as missing."""
        if self.first:
            each = ", ".join(f"{name} ({self._of(name)})" for name in list(self.first)[:8])
            warnings.warn(f"{self.path}: taken as missing: {each}.", UserWarning, stacklevel=2)

    def _of(self, name: str) -> str:
        more = self.count[name] - 1
        return self.first[name] + (f" and {more} more" if more else "")


def _arrow() -> ModuleType | None:
    try:
        import pyarrow
        import pyarrow.csv
    except ImportError:
        return None
    return pyarrow
