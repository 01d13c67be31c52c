"""Anything that yields batches of rows: files larger than memory, arrays, iterators, Arrow readers."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from robustae.data.arrays import ArraySource
from robustae.data.batches import chosen, places
from robustae.data.column_kinds import Column
from robustae.data.files import FileSource, files_of
from robustae.data.iterables import IterableSource, once
from robustae.data.options import ReadOptions
from robustae.utils.checks import InputError

__all__ = ["RowSource", "checked_rows", "is_path_like", "is_row_source", "row_source"]


@runtime_checkable
class RowSource(Protocol):
    """Batches of rows of numbers.

    Attributes
    ----------
    columns : list of d str
        Names, or positions as text.
    named : bool
        Whether `columns` are names that the data give.
    n_rows : int or None
        None where it is not known before reading.
    """

    columns: list[str]
    named: bool
    n_rows: int | None

    def batches(self, rows: int = 65_536, start: int = 0) -> Iterator[np.ndarray]:
        """Yield arrays of shape (m, d), m at most `rows`: float32 or float64, NaN where missing.

        Each call begins anew at row `start`.
        """
        ...

    def fingerprint(self) -> dict[str, Any] | None:
        """What distinguishes these data from others, as JSON holds it; None where that is not known."""
        ...


def is_row_source(data: Any) -> bool:
    """Whether `data` is read in batches: a RowSource, files, an Arrow reader, an iterator or a function.

    Arrays, data frames and lists of rows are not: they are in memory already.
    """
    if is_path_like(data) or isinstance(data, Iterator):
        return True
    return hasattr(data, "read_next_batch") or _is_source(data) or callable(data)


def is_path_like(data: Any) -> bool:
    """Whether `data` is a path, a pattern, a folder, or a list of these."""
    return isinstance(data, str | os.PathLike) or _are_paths(data)


def _is_source(data: Any) -> bool:
    return all(hasattr(data, name) for name in ("batches", "fingerprint", "columns"))


def _are_paths(data: Any) -> bool:
    return (
        isinstance(data, list | tuple) and bool(data) and all(isinstance(p, str | os.PathLike) for p in data)
    )


def row_source(
    data: Any,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    options: ReadOptions | None = None,
    kinds: dict[str, Column] | None = None,
) -> RowSource:
    """Return a source of batches.

    Parameters
    ----------
    data : path, pattern, folder, list of these, array, iterable, function, Arrow reader, or RowSource
        Files are Parquet, .npy (mapped) or CSV. Iterables yield arrays of shape (m, d), pandas or polars
        frames, or Arrow RecordBatches; a generator can be gone through once, a list or a function that
        returns an iterator as often as wished.
    columns : sequence of str, optional
        The columns wanted, in their order; all otherwise.
    drop : sequence of str
        Columns to leave out, by name or position.
    options : ReadOptions, optional
        How text files are written.
    kinds : dict of str to Column, optional
        How the columns of text files are read, where a model knows that.

    Raises
    ------
    InputError
        If there is nothing, a column is not there or holds no numbers, or files do not have the same columns.
    """
    if _is_source(data):
        return data if columns is None and not drop else Selected(data, columns, drop)
    if is_path_like(data):
        return FileSource(files_of(data), columns, drop, options, kinds)
    if isinstance(data, np.ndarray):
        whole = ArraySource(data)
        return ArraySource(data, chosen(whole.columns, columns, drop, "the array", whole.named))
    make, n_rows = _maker(data)
    return IterableSource(make, columns, drop, n_rows)


def _maker(data: Any) -> tuple[Callable[[], Any], int | None]:
    """How to go through data that is neither file nor array, and its rows where they are known."""
    if callable(data):
        return data, None
    if hasattr(data, "columns"):
        return lambda: [data], len(data)
    if isinstance(data, list | tuple):
        return lambda: data, sum(map(len, data))
    if hasattr(data, "__iter__"):
        return once(iter(data)), None
    raise InputError(
        f"data of type {type(data).__name__} cannot be read in batches: use files, an array, a list of "
        "arrays or data frames, or a function that returns an iterator of them."
    )


class Selected:
    """Some columns of another source."""

    def __init__(self, source: RowSource, columns: Sequence[str] | None, drop: Sequence[str] = ()):
        self._source = source
        self.named, self.n_rows = source.named, source.n_rows
        self.columns = chosen(source.columns, columns, drop, "the source", self.named)
        self._at = places(self.columns, source.columns, "the source")

    def batches(self, rows: int = 65_536, start: int = 0) -> Iterator[np.ndarray]:
        """Yield rows, from row `start` on."""
        return (batch[:, self._at] for batch in self._source.batches(rows, start))

    def fingerprint(self) -> dict[str, Any] | None:
        """That of the source, with the columns."""
        of_all = self._source.fingerprint()
        return None if of_all is None else of_all | {"columns": self.columns}


def checked_rows(
    batches: Iterable[np.ndarray], columns: Sequence[str], first: int = 0
) -> Iterator[np.ndarray]:
    """Yield the batches, none of which may hold an infinity, or a row without any observed cell.

    Raises
    ------
    InputError
        Naming the row; the first one of all batches is number `first`.
    """
    for batch in batches:
        _check(batch, columns, first)
        first += len(batch)
        yield batch


def _check(X: np.ndarray, columns: Sequence[str], first: int) -> None:
    if np.isfinite(X).all():
        return
    row, column = (np.argwhere(np.isinf(X)).tolist() or [(None, 0)])[0]
    if row is not None:
        raise InputError(
            f"column {columns[column]!r} of row {first + row} (counted from 0) holds an infinity: empty that "
            "cell or leave the column out."
        )
    empty = np.flatnonzero(np.isnan(X).all(axis=1))
    if len(empty):
        raise InputError(f"row {first + empty[0]} (counted from 0) has no observed cell: leave it out.")
