"""Tables and matrices out, by the ending of the file's name: CSV, Parquet, .npy, .npz."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from robustae.utils.checks import InputError, need, suggestion
from robustae.utils.files import PathLike, replacing

__all__ = ["TABLE_SUFFIXES", "appending", "csv_bytes", "write_matrix", "write_table"]

TABLE_SUFFIXES = (".csv", ".parquet", ".npy")


def write_table(path: PathLike, columns: Mapping[str, Any]) -> None:
    """Write columns of one length as CSV, Parquet or .npy (a structured array), by the ending.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .parquet or .npy.
    columns : mapping of str to (n,) arrays
        Name and values of each column. Floats in CSV read back to the very same value.

    Raises
    ------
    InputError
        If the ending is none of these, or the place cannot be written to.
    """
    writer = _writer(path, _TABLE_WRITERS)
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    with replacing(path) as file:
        writer(file, arrays)


def write_matrix(path: PathLike, values: np.ndarray, columns: Iterable[str] | None = None) -> None:
    """Write rows by columns (or images) as CSV, Parquet, .npy or .npz (under the name X), by the ending.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .parquet, .npy or .npz.
    values : array of shape (n, d) or (n, height, width[, channels])
        CSV and Parquet take the first form only.
    columns : iterable of d str, optional
        Names for CSV and Parquet; without them CSV gets no header and Parquet "0", "1", ...

    Raises
    ------
    InputError
        If the ending is none of these, or the place cannot be written to.
    """
    writer = _writer(path, _MATRIX_WRITERS)
    with replacing(path) as file:
        writer(file, values, None if columns is None else list(columns))


@contextmanager
def appending(path: PathLike) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write a table of any length part by part; it takes its name only once it is whole.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .parquet or .npy: the formats of `write_table`.

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
    with replacing(path) as file, appender(file) as append:
        yield lambda columns: append({name: np.asarray(values) for name, values in columns.items()})


def _writer(path: PathLike, writers: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        hint = suggestion(suffix, writers)
        raise InputError(f"cannot write {str(path)!r}: ending {suffix!r} is not known; {hint}")
    return writers[suffix]


def _cells(values: np.ndarray) -> list[Any]:
    # str of a numpy or Python float is the shortest text that reads back to the same value.
    if values.dtype.kind != "f":
        return values.tolist()
    exact = values.tolist() if values.dtype == np.float64 else values
    return ["" if cell != cell else str(cell) for cell in exact]


def _csv(file: IO[bytes], names: list[str] | None, columns: Iterable[np.ndarray]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    if names is not None:
        writer.writerow(names)
    writer.writerows(zip(*map(_cells, columns), strict=True))
    text.flush()
    text.detach()


def csv_bytes(columns: Mapping[str, np.ndarray]) -> bytes:
    """Return columns of one length as CSV, as `write_table` writes it."""
    file = io.BytesIO()
    _table_csv(file, columns)
    return file.getvalue()


def _parquet(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    arrow = need("parquet", "pyarrow", "writing Parquet")
    need("parquet", "pyarrow.parquet", "writing Parquet").write_table(arrow.table(dict(columns)), file)


@contextmanager
def _csv_parts(file: IO[bytes]) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    def append(columns: Mapping[str, np.ndarray]) -> None:
        _csv(file, None if file.tell() else list(columns), columns.values())

    yield append


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


def _table_csv(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    _csv(file, list(columns), columns.values())


def _table_npy(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    np.save(file, _record(columns), allow_pickle=False)


def _matrix_csv(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    _csv(file, names, _flat(values).T)


def _matrix_parquet(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    flat = _flat(values)
    _parquet(file, dict(zip(names or map(str, range(flat.shape[1])), flat.T, strict=True)))


def _matrix_npy(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    np.save(file, values, allow_pickle=False)


def _matrix_npz(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    np.savez(file, X=values)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


_TABLE_WRITERS: dict[str, Callable[..., None]] = {
    ".csv": _table_csv,
    ".parquet": _parquet,
    ".npy": _table_npy,
}
_APPENDERS: dict[str, Callable[..., Any]] = {
    ".csv": _csv_parts,
    ".parquet": _parquet_parts,
    ".npy": _npy_parts,
}
_MATRIX_WRITERS: dict[str, Callable[..., None]] = {
    ".csv": _matrix_csv,
    ".parquet": _matrix_parquet,
    ".npy": _matrix_npy,
    ".npz": _matrix_npz,
}
