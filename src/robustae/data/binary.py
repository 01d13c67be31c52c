"""Parquet, .npy and .npz; nothing pickled is ever loaded."""

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np

from robustae.data.mixed import MixedTable
from robustae.data.table import Raw, Request, Table
from robustae.utils.checks import InputError, need

# What readers of arrays raise where bytes are not what they should be; NumPy parses headers as Python.
DAMAGED = (ArithmeticError, EOFError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError)
DAMAGED += (BadZipFile, TokenError, zlib.error)


def read_parquet(file: Path, request: Request) -> Raw:
    """Read the columns of a Parquet file: as numbers, or each of its kind."""
    arrow = need("parquet", "pyarrow", "reading Parquet")
    parquet = need("parquet", "pyarrow.parquet", "reading Parquet")
    try:
        with parquet.ParquetFile(file) as content:
            return _read_columns(arrow, content, file, request)
    except arrow.ArrowException as error:
        raise InputError(f"{str(file)!r} is not a Parquet file, or a damaged one.") from error


def _read_columns(arrow: Any, content: Any, file: Path, request: Request) -> Raw:
    refuse_twins(content.schema_arrow.names, file)
    asked, label = request.left_out(list(content.schema_arrow.names))
    dropped = _unusable(arrow.types, content.schema_arrow) | asked
    kept = [name for name in content.schema_arrow.names if name not in dropped]
    if not kept or not content.metadata.num_rows:
        raise InputError(f"{str(file)!r} has no {'rows' if kept else 'column that can be used'}.")
    columns = content.read(columns=kept if label is None else [*kept, label])
    labels = None if label is None else columns[label].to_pylist()
    return Table(_parquet_values(arrow, columns.select(kept)), kept, None, dropped, True, ".parquet"), labels


def refuse_twins(names: Sequence[str], file: Path) -> None:
    """Refuse columns that share a name: a name would not decide which is meant."""
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise InputError(f"{str(file)!r} has {count} columns called {name!r}: give each a name of its own.")


def _parquet_values(arrow: Any, columns: Any) -> np.ndarray | MixedTable:
    numbers = all(_is_number(arrow.types, column.type) for column in columns.schema)
    parts = {
        name: _numbers(arrow, columns[name]) if numbers else _written(arrow, columns[name])
        for name in columns.column_names
    }
    if not numbers:
        return MixedTable(parts)
    return np.column_stack(list(parts.values()))


def _numbers(arrow: Any, column: Any) -> np.ndarray:
    return column.cast(arrow.float64(), safe=False).to_numpy()


def _written(arrow: Any, column: Any) -> np.ndarray:
    types, kind = arrow.types, column.type
    if types.is_date(kind) or types.is_timestamp(kind):
        return (
            column.cast(arrow.timestamp("us"), safe=False)
            .to_numpy()
            .astype("datetime64[D]" if types.is_date(kind) else "datetime64[us]")
        )
    if types.is_integer(kind) and not column.null_count:
        return column.to_numpy()
    if _is_number(types, kind) and not types.is_boolean(kind):
        return _numbers(arrow, column)
    return np.array(column.to_pylist(), dtype=object)


def _is_number(types: Any, kind: Any) -> bool:
    kinds = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    return any(is_kind(kind) for is_kind in kinds)


def _unusable(types: Any, schema: Any) -> dict[str, str]:
    kinds = (types.is_string, types.is_large_string, types.is_date, types.is_timestamp, types.is_dictionary)
    kinds += (types.is_time, types.is_duration, types.is_string_view)
    dropped = {
        column.name: f"of type {column.type}"
        for column in schema
        if not (_is_number(types, column.type) or any(is_kind(column.type) for is_kind in kinds))
    }
    return dropped | {name: "row numbers" for name in schema.names if name.startswith("__index_level_")}


def read_npy(file: Path, request: Request) -> Raw:
    """Read an array of rows and columns, or of images."""
    with unreadable(file):
        array = np.load(file, allow_pickle=False)
    return _from_array(checked_array(array, file), request, ".npy")


def read_npz(file: Path, request: Request) -> Raw:
    """Read the array X; the label may be another array of the file."""
    with unreadable(file), np.load(file, allow_pickle=False) as arrays:
        main = _main_array(arrays, file)
        X = checked_array(arrays[main], file)
        others = [name for name in arrays.files if name != main]
        labels = arrays[str(request.label)] if str(request.label) in others else None
    if labels is None:
        return _from_array(X, request, ".npz", others)
    if labels.shape != (len(X),):
        raise InputError(f"label {request.label!r} has shape {labels.shape}, and {main} has {len(X)} rows.")
    return _from_array(X, Request(None, request.drop), ".npz", others)[0], labels


@contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """Say in one sentence what `numpy.load` could not read."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"cannot read {str(file)!r}: it is damaged, or memory is too small.") from error
    except DAMAGED as error:
        pickled = "Object arrays" in str(error)
        why = "it holds Python objects, not numbers" if pickled else "it is damaged, or another kind of file"
        raise InputError(f"cannot read {str(file)!r}: {why}.") from error


def _main_array(arrays: Any, file: Path) -> str:
    if "X" in arrays.files:
        return "X"
    tables = [name for name in arrays.files if arrays[name].ndim >= 2]
    if len(tables) == 1:
        return tables[0]
    names = ", ".join(map(repr, arrays.files)) or "nothing"
    raise InputError(f"{str(file)!r} needs one array of data, best under the name 'X'; it holds {names}.")


def checked_array(array: np.ndarray, file: Path) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise InputError(f"{str(file)!r} holds values of type {array.dtype}: numbers are needed.")
    if array.ndim not in (2, 3, 4) or not array.size:
        wanted = "(rows, columns) or (images, height, width[, channels])"
        raise InputError(f"{str(file)!r} has shape {array.shape}: {wanted} is needed.")
    return array


def _from_array(array: np.ndarray, request: Request, suffix: str, others: Sequence[str] = ()) -> Raw:
    # Images have no columns to leave out, and their label can only be an array beside them.
    names = [str(j) for j in range(array.shape[1])] if array.ndim == 2 else []
    dropped, label = request.left_out(names, others)
    labels = None if label is None else array[:, names.index(label)]
    kept = [name for name in names if name not in dropped]
    if names and not kept:
        raise InputError("no column is left beside the label and those to drop.")
    values = array[:, list(map(int, kept))] if dropped else array
    return Table(values, kept, None, dropped, False, suffix), labels
