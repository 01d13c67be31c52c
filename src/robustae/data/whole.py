"""Data that may come in batches, read whole where they are few rows: the same answer by any door."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from robustae.data import ReadOptions, Table, read_table
from robustae.data.dataframes import frame_of, is_mixed, of_frame
from robustae.data.files import files_of, read_whole_only, rows_of_files
from robustae.data.joining import joined
from robustae.data.streams import is_path_like, row_source
from robustae.data.table import without_index
from robustae.utils.checks import InputError, need

__all__ = ["MOST_ROWS", "image_shape_of", "in_memory"]

MOST_BYTES = 2**29  # in float64, up to which files with columns of texts are read whole
MOST_ROWS = 20_000  # up to which rows that could be read in batches are fitted as if in memory


def in_memory(
    data: Any, most: int = MOST_ROWS, options: ReadOptions | None = None, drop: Sequence[str | int] = ()
) -> tuple[Table | None, Any]:
    """Return data of at most `most` rows as a table, else None and what is still to be read in batches.

    Parameters
    ----------
    data : path, pattern, folder, list of these, iterator, function, Arrow reader or RowSource
    most : int
    options : ReadOptions, optional
        How text files are written.
    drop : sequence of str or int
        Columns of files to leave out.
    """
    if is_path_like(data):
        files = files_of(data)
        rows = rows_of_files(files)  # of text they are estimated
        texts = rows > most / 2 and read_whole_only(files, MOST_BYTES, options, [*map(str, drop)])
        if rows > 2 * most and not texts:
            return None, data
        table = read_table(files, drop=drop, options=options)
        return (table, None) if len(table.values) <= most or texts else (None, data)
    first, rest = _head(data, most)
    if rest is not None:
        return None, rest
    return without_index(joined([_table_of(batch) for batch in first], range(len(first)))), None


def image_shape_of(data: Any) -> tuple[int, ...] | None:
    """Return (height, width[, channels]) where the array, or first .npy file, has that shape, else None."""
    if is_path_like(data):
        first = files_of(data)[0]
        data = np.load(first, mmap_mode="r", allow_pickle=False) if first.suffix.lower() == ".npy" else None
    shape = getattr(data, "shape", ())
    return tuple(shape[1:]) if len(shape) > 2 else None


def _head(data: Any, most: int) -> tuple[list[Any], Any]:
    """Batches of up to `most` rows, and what gives all of them anew where there are more."""
    if hasattr(data, "batches"):
        if (data.n_rows or most) > most:
            return [], data
        again: Callable[[], Any] | None = None
        batches: Iterator[Any] = iter(_named(data))
    else:
        again = data if callable(data) else None
        found: Any = data() if callable(data) else data
        batches = iter(found)
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


def _table_of(batch: Any) -> Table:
    """One batch of any kind as a table."""
    if isinstance(batch, Table):
        return batch
    if isinstance(batch, np.ndarray) and batch.ndim > 2:
        return Table(batch, [])
    if hasattr(batch, "num_rows") and not hasattr(batch, "to_batches"):
        batch = need("parquet", "pyarrow", "reading Arrow").Table.from_batches([batch])
    frame = frame_of(batch)
    if frame is None:
        source = row_source([batch])
        return Table(np.concatenate(list(source.batches())), list(source.columns), named=source.named)
    columns = of_frame(frame)
    names = list(columns.columns)
    if is_mixed(frame, by_name=False):
        return Table(columns, names, named=True)
    return Table(
        np.column_stack([values.astype(float) for values in columns.columns.values()]), names, named=True
    )
