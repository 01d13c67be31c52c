"""Arrow batches as rows of numbers, and batches of about one size."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from robustae.data.table import position
from robustae.data.values import days_of, hours_of
from robustae.utils.checks import InputError, need, suggestion

__all__ = ["NoNumbers", "after", "chosen", "is_numeric", "of_about", "of_arrow", "places", "refuse_kind"]


def is_numeric(types: Any, kind: Any) -> bool:
    """Whether a column of this Arrow type can be numbers: numbers, truth values, dates and times."""
    kinds = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    times = (types.is_date, types.is_timestamp, types.is_time, types.is_duration)
    return any(is_kind(kind) for is_kind in (*kinds, *times))


class NoNumbers(InputError):
    """A column that cannot be read in batches."""


def refuse_kind(name: str, kind: str, where: str) -> None:
    """Refuse a column of anything but numbers."""
    raise NoNumbers(
        f"column {name!r} of {where} holds {kind}: rows read in batches must be numbers, truth values or "
        f"dates; leave it out (drop=[{name!r}], on the command line --drop {name!r}), or fit a part of the "
        "rows that fits into memory, where texts can be used."
    )


def places(wanted: Sequence[str], names: Sequence[str], where: str) -> list[int]:
    """Return where the wanted columns stand among `names`."""
    at = {name: j for j, name in reversed(list(enumerate(names)))}
    for name in wanted:
        if name not in at:
            raise InputError(f"{where} has no column {name!r}: {suggestion(name, list(names)[:50])}")
    return [at[name] for name in wanted]


def chosen(
    names: Sequence[str], columns: Sequence[str] | None, drop: Sequence[str | int], where: str, named: bool
) -> list[str]:
    """Return the columns wanted: those of `columns`, or all but those to drop (by name or position).

    Where the data have no names, as many columns are taken as they come.
    """
    if columns is not None:
        wanted = [str(name) for name in columns]
        if not named and len(wanted) == len(names) and not set(wanted) <= set(names):
            return list(names)
        places(wanted, names, where)
        return wanted
    out = {position(wanted, list(names), "column") for wanted in drop}
    kept = [name for j, name in enumerate(names) if j not in out]
    if not kept:
        raise InputError(f"{where} has no column beside those to drop.")
    return kept


def of_arrow(batch: Any, where: str = "the data") -> np.ndarray:
    """Return the columns of an Arrow RecordBatch as numbers, shape (m, d), contiguous down the columns.

    Truth values are 0 and 1, dates days since 1970, times hours, NULL is NaN. float32 where that holds
    all columns exactly, else float64.

    Raises
    ------
    InputError
        If a column holds anything else.
    """
    arrow = need("parquet", "pyarrow", "reading Arrow")
    for field in batch.schema:
        if not is_numeric(arrow.types, field.type):
            refuse_kind(field.name, f"values of type {field.type}", where)
    small = all(_fits_float32(arrow.types, field.type) for field in batch.schema)
    X = np.empty((batch.num_columns, batch.num_rows), dtype=np.float32 if small else np.float64)
    for row, column in zip(X, batch.columns, strict=True):
        row[:] = _numbers(arrow, column)
    return X.T


def _fits_float32(types: Any, kind: Any) -> bool:
    return types.is_boolean(kind) or kind in _small_types()


def _small_types() -> tuple[Any, ...]:
    import pyarrow as pa

    return pa.float32(), pa.float16(), pa.int8(), pa.uint8(), pa.int16(), pa.uint16()


def _numbers(arrow: Any, column: Any) -> np.ndarray:
    types, kind = arrow.types, column.type
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_date(kind) or types.is_timestamp(kind):
        return days_of(column.cast(arrow.timestamp("us"), safe=False).to_numpy(zero_copy_only=False))
    if types.is_time(kind):
        column = column.cast(arrow.time64("us"), safe=False).cast(arrow.int64()).cast(arrow.duration("us"))
    if types.is_time(kind) or types.is_duration(kind):
        return hours_of(column.cast(arrow.duration("us"), safe=False).to_numpy(zero_copy_only=False))
    if types.is_boolean(kind) or types.is_decimal(kind):
        column = column.cast(arrow.uint8() if types.is_boolean(kind) else arrow.float64())
    return column.to_numpy(zero_copy_only=False)


def of_about(rows: int, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Join batches of a few rows until they have about `rows`, and cut those that have more."""
    few: list[np.ndarray] = []
    for part in _pieces(rows, batches):
        if sum(map(len, few)) + len(part) > rows:
            yield _joined(few)
            few = []
        few.append(part)
        if sum(map(len, few)) > rows // 2:
            yield _joined(few)
            few = []
    if few:
        yield _joined(few)


def _pieces(rows: int, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for batch in batches:
        yield from (batch[first : first + rows] for first in range(0, len(batch), rows))


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """One array of several; transposed, for they lie in memory column by column."""
    return parts[0] if len(parts) == 1 else np.concatenate([part.T for part in parts], axis=1).T


def after(start: int, batches: Iterable[Any]) -> Iterator[Any]:
    """Leave out the first `start` rows of arrays or RecordBatches."""
    for batch in batches:
        if start < len(batch):
            yield batch[start:] if start else batch
        start = max(start - len(batch), 0)
