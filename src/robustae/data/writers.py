"""Tables and matrices out, by the ending of the file's name: CSV, JSON lines, Parquet, .npy, .npz."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from robustae.data.dialect import Dialect, guarded
from robustae.utils.checks import InputError, need, suggestion
from robustae.utils.files import PathLike, replacing
from robustae.utils.json import plain

__all__ = ["MATRIX_SUFFIXES", "TABLE_SUFFIXES", "appending", "csv_bytes", "write_matrix", "write_table"]

PLAIN = Dialect()
MATRIX_SUFFIXES = (".csv", ".jsonl", ".parquet", ".npy", ".npz")
TABLE_SUFFIXES = (".csv", ".jsonl", ".parquet", ".npy")


def write_table(path: PathLike, columns: Mapping[str, Any], dialect: Dialect | None = None) -> None:
    """Write columns of one length as CSV, JSON lines, Parquet or .npy (a structured array), by the ending.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .jsonl, .parquet or .npy.
    columns : mapping of str to (n,) arrays
        Name and values of each column. Floats in CSV read back to the very same value.
    dialect : Dialect, optional
        How CSV is written.

    Raises
    ------
    InputError
        If the ending is none of these, or the place cannot be written to.
    """
    writer = _writer(path, _TABLE_WRITERS)
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    with replacing(path) as file:
        writer(file, arrays, *_for_csv(path, dialect))


def write_matrix(
    path: PathLike,
    values: np.ndarray,
    columns: Iterable[str] | None = None,
    dialect: Dialect | None = None,
) -> None:
    """Write rows by columns (or images) as CSV, JSON lines, Parquet, .npy or .npz (array X), by the ending.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .jsonl, .parquet, .npy or .npz.
    values : array of shape (n, d) or (n, height, width[, channels])
        CSV and Parquet take the first form only.
    columns : iterable of d str, optional
        Names for CSV and Parquet; without them CSV gets no header, the others "0", "1", ...
    dialect : Dialect, optional
        How CSV is written.

    Raises
    ------
    InputError
        If the ending is none of these, or the place cannot be written to.
    """
    writer = _writer(path, _MATRIX_WRITERS)
    with replacing(path) as file:
        writer(file, values, None if columns is None else list(columns), *_for_csv(path, dialect))


@contextmanager
def appending(
    path: PathLike, dialect: Dialect | None = None
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write a table of any length part by part; it takes its name only once it is whole.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .jsonl, .parquet or .npy: the formats of `write_table`.
    dialect : Dialect, optional
        How CSV is written.

    Yields
    ------
    callable
        Takes the columns of the next rows, always of the same names and types.

    Raises
    ------
    InputError
        If the ending is none of these, or the place cannot be written to.
    """
    appender = _writer(path, _APPENDERS)
    with replacing(path) as file, appender(file, *_for_csv(path, dialect)) as append:
        yield lambda columns: append({name: np.asarray(values) for name, values in columns.items()})


def _writer(path: PathLike, writers: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        hint = suggestion(suffix, writers)
        raise InputError(f"cannot write {str(path)!r}: ending {suffix!r} is not known; {hint}")
    return writers[suffix]


def _for_csv(path: PathLike, dialect: Dialect | None) -> tuple[Dialect, ...]:
    return (dialect,) if dialect is not None and Path(path).suffix.lower() == ".csv" else ()


def _cells(values: np.ndarray, dialect: Dialect) -> list[Any]:
    """The cells of a column as written; floats as the shortest text that reads back to the same value."""
    if values.dtype.kind == "f":
        exact = values.tolist() if values.dtype == np.float64 else values
        texts = ["" if cell != cell else str(cell) for cell in exact]
        return texts if dialect.decimal == "." else [cell.replace(".", dialect.decimal) for cell in texts]
    cells = ["" if cell is None or cell != cell else cell for cell in values.tolist()]
    if not dialect.guard or values.dtype.kind not in "OU":
        return cells
    return [guarded(cell) if isinstance(cell, str) else cell for cell in cells]


def _csv(
    file: IO[bytes], names: list[str] | None, columns: Iterable[np.ndarray], dialect: Dialect = PLAIN
) -> None:
    text = io.TextIOWrapper(file, encoding=dialect.encoding, newline="")
    writer = csv.writer(text, delimiter=dialect.delimiter, lineterminator="\n")
    if names is not None:
        writer.writerow(map(guarded, names) if dialect.guard else names)
    writer.writerows(zip(*(_cells(values, dialect) for values in columns), strict=True))
    text.flush()
    text.detach()


def _jsonl(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    lists = [values if values.dtype.kind == "M" else values.tolist() for values in columns.values()]
    for row in zip(*lists, strict=True):
        line = plain(dict(zip(columns, row, strict=True)))
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def csv_bytes(columns: Mapping[str, np.ndarray]) -> bytes:
    """Return columns of one length as CSV, as `write_table` writes it."""
    file = io.BytesIO()
    _table_csv(file, columns, Dialect(guard=False))
    return file.getvalue()


def _parquet(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    arrow = need("parquet", "pyarrow", "writing Parquet")
    need("parquet", "pyarrow.parquet", "writing Parquet").write_table(arrow.table(dict(columns)), file)


@contextmanager
def _csv_parts(
    file: IO[bytes], dialect: Dialect = PLAIN
) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    def append(columns: Mapping[str, np.ndarray]) -> None:
        _csv(file, None if file.tell() else list(columns), columns.values(), dialect)

    yield append


@contextmanager
def _jsonl_parts(file: IO[bytes]) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    yield lambda columns: _jsonl(file, columns)


@contextmanager
def _parquet_parts(file: IO[bytes]) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    arrow = need("parquet", "pyarrow", "writing Parquet")
    parquet = need("parquet", "pyarrow.parquet", "writing Parquet")
    with ExitStack() as stack:
        writers: list[Any] = []

        def append(columns: Mapping[str, np.ndarray]) -> None:
            rows = arrow.table(dict(columns))
            if not writers:
                writers.append(stack.enter_context(parquet.ParquetWriter(file, rows.schema)))
            writers[0].write_table(rows)

        yield append


@contextmanager
def _npy_parts(file: IO[bytes]) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    """NumPy's header leaves room for the number of rows to grow: it is written again at the end."""
    kinds: list[np.dtype] = []

    def append(columns: Mapping[str, np.ndarray]) -> None:
        record = _record(columns)
        if not kinds:
            kinds.append(record.dtype)
            _npy_header(file, record.dtype, 0)
        file.write(record.tobytes())

    yield append
    if kinds:
        start, end = _npy_header(file, kinds[0], 0), file.seek(0, os.SEEK_END)
        _npy_header(file, kinds[0], (end - start) // kinds[0].itemsize)
        file.seek(end)


def _npy_header(file: IO[bytes], kind: np.dtype, rows: int) -> int:
    """Write the header, and return where it ends."""
    file.seek(0)
    facts = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (rows,)}
    np.lib.format.write_array_header_1_0(file, facts)
    return file.tell()


def _record(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    rows = len(next(iter(columns.values())))
    record = np.empty(rows, dtype=[(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        record[name] = values
    return record


def _table_csv(file: IO[bytes], columns: Mapping[str, np.ndarray], dialect: Dialect = PLAIN) -> None:
    _csv(file, list(columns), columns.values(), dialect)


def _table_npy(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    np.save(file, _record(columns), allow_pickle=False)


def _matrix_csv(
    file: IO[bytes], values: np.ndarray, names: list[str] | None, dialect: Dialect = PLAIN
) -> None:
    _csv(file, names, _flat(values).T, dialect)


def _matrix_jsonl(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    _jsonl(file, _named(values, names))


def _matrix_parquet(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    _parquet(file, _named(values, names))


def _named(values: np.ndarray, names: list[str] | None) -> dict[str, np.ndarray]:
    flat = _flat(values)
    return dict(zip(names or map(str, range(flat.shape[1])), flat.T, strict=True))


def _matrix_npy(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    np.save(file, values, allow_pickle=False)


def _matrix_npz(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    np.savez(file, X=values)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


_TABLE_WRITERS: dict[str, Callable[..., None]] = {
    ".csv": _table_csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
    ".npy": _table_npy,
}
_APPENDERS: dict[str, Callable[..., Any]] = {
    ".csv": _csv_parts,
    ".jsonl": _jsonl_parts,
    ".parquet": _parquet_parts,
    ".npy": _npy_parts,
}
_MATRIX_WRITERS: dict[str, Callable[..., None]] = {
    ".csv": _matrix_csv,
    ".jsonl": _matrix_jsonl,
    ".parquet": _matrix_parquet,
    ".npy": _matrix_npy,
    ".npz": _matrix_npz,
}
