"""Data that may come in batches, read whole where they are few rows: the same answer by any door."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from robustae.data import MixedTable, Table, as_mixed, read_table
from robustae.data.files import files_of, rows_of_files
from robustae.data.streams import is_path_like, row_source
from robustae.utils.checks import InputError

__all__ = ["MOST_ROWS", "in_memory"]

MOST_ROWS = 20_000  # up to which rows that could be read in batches are fitted as if in memory


def in_memory(data: Any, most: int = MOST_ROWS) -> tuple[Table | None, Any]:
    """Return data of at most `most` rows as a table, else None and what is still to be read in batches.

    Parameters
    ----------
    data : path, pattern, folder, list of these, iterator, function, Arrow reader or RowSource
    most : int
    """
    if is_path_like(data):
        files = files_of(data)
        if rows_of_files(files) > 2 * most:  # rows of text are estimated
            return None, data
        table = _joined([read_table(file) for file in files], files)
        return (table, None) if len(table.values) <= most else (None, data)
    first, rest = _head(data, most)
    if rest is not None:
        return None, rest
    return _of_batches(first), None


def _head(data: Any, most: int) -> tuple[list[Any], Any]:
    """Batches of up to `most` rows, and what gives all of them anew where there are more."""
    if hasattr(data, "batches"):
        if (data.n_rows or most) > most:
            return [], data
        again: Callable[[], Any] | None = None
        batches: Iterator[Any] = iter(_named(data))
    else:
        again = data if callable(data) else None
        batches = iter(data() if callable(data) else data)
    taken, rows = [], 0
    for batch in batches:
        taken.append(batch)
        rows += len(batch)
        if rows > most:
            return [], data if hasattr(data, "batches") else again or chain(taken, batches)
    if not taken:
        raise InputError("the data have no rows: the iterator gives nothing.")
    return taken, None


def _named(source: Any) -> Iterator[Any]:
    for batch in source.batches():
        yield Table(batch, source.columns, named=source.named)


def _of_batches(batches: list[Any]) -> Table:
    """Batches of any kind as one table."""
    if isinstance(batches[0], Table):
        return _joined(batches, range(len(batches)))
    source = row_source(batches)
    values = np.concatenate(list(source.batches()))
    return Table(values, list(source.columns), named=source.named)


def _joined(tables: list[Table], names: Any) -> Table:
    """Tables of the same columns, one after the other."""
    first = tables[0]
    if len(tables) == 1:
        return first
    for name, table in zip(names, tables, strict=True):
        lacking = [column for column in first.columns if column not in table.columns]
        if len(table.columns) != len(first.columns) or lacking:
            what = f"lacks the column {lacking[0]!r}" if lacking else "has other columns"
            raise InputError(f"{str(name)!r} {what} of {str(next(iter(names)))!r}.")
    if any(table.mixed for table in tables):
        parts = [as_mixed(table).columns for table in tables]
        joined = {name: _stacked([part[name] for part in parts]) for name in first.columns}
        return replace(first, values=MixedTable(joined))
    at = [[table.columns.index(name) for name in first.columns] for table in tables]
    values = [
        table.values if table.values.ndim > 2 else table.values[:, j]
        for table, j in zip(tables, at, strict=True)
    ]
    return replace(first, values=np.concatenate(values))


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    if len({part.dtype.kind for part in parts}) == 1:
        return np.concatenate(parts)
    return np.concatenate([part.astype(object) for part in parts])
