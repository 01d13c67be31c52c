"""Batches that the user's own code yields: arrays, data frames, Arrow."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from robustae.data.arrays import as_floats, flat
from robustae.data.batches import after, chosen, of_about, of_arrow, places, refuse_kind
from robustae.data.dataframes import cells_of, frame_of
from robustae.data.spelling import Spelling
from robustae.data.values import numbers_in, plain
from robustae.utils.checks import InputError

__all__ = ["IterableSource", "once"]

WHERE = "the data"


class IterableSource:
    """What `make`, called anew for each pass, yields: arrays, data frames or RecordBatches.

    Columns are those of the first batch; later ones give them by name where they have names.
    """

    def __init__(
        self,
        make: Callable[[], Iterable[Any]],
        columns: Sequence[str] | None = None,
        drop: Sequence[str] = (),
        n_rows: int | None = None,
    ):
        self._make = make
        names, self.named = self._names()
        self.columns = chosen(names, columns, drop, WHERE, self.named)
        self.n_rows = n_rows

    def _names(self) -> tuple[list[str], bool]:
        for batch in self._make():
            names = _names_of(batch)
            return names or [str(j) for j in range(_numbers(batch, None).shape[1])], bool(names)
        raise InputError("the data have no rows: the iterator gives nothing.")

    def batches(self, rows: int = 65_536, start: int = 0) -> Iterator[np.ndarray]:
        """Yield rows, from row `start` on."""
        columns = self.columns
        return of_about(rows, after(start, (_numbers(batch, columns) for batch in self._make())))

    def fingerprint(self) -> dict[str, Any] | None:
        """None: it cannot be known without reading all."""
        return None


def once(iterator: Iterator[Any]) -> Callable[[], Iterator[Any]]:
    """Return a function that gives the items of an iterator, and refuses to be asked a second time.

    The first call only peeks: what it takes is given again by the second.
    """
    first = list(_taken(iterator, 1))
    calls = iter(["peek", "read"])

    def make() -> Iterator[Any]:
        call = next(calls, None)
        if call is None:
            raise InputError(
                "an iterator gives its rows only once: hand in a list, a file, or a function that returns "
                "a new iterator each time."
            )
        return iter(first) if call == "peek" else chain(first, iterator)

    return make


def _taken(iterator: Iterator[Any], count: int) -> Iterator[Any]:
    for _, item in zip(range(count), iterator, strict=False):
        yield item


def _names_of(batch: Any) -> list[str]:
    """Names of the columns of a batch, if it has any."""
    if hasattr(batch, "schema") and hasattr(batch, "num_rows"):
        return list(batch.schema.names)
    return [str(name) for name in batch.columns] if hasattr(batch, "columns") else []


def _numbers(batch: Any, columns: list[str] | None) -> np.ndarray:
    names = _names_of(batch)
    if not names:
        return _of_array(batch, columns)
    places(columns or names, names, WHERE)
    if hasattr(batch, "num_rows"):
        return np.concatenate([of_arrow(part) for part in _arrow(batch.select(columns or names))])
    return _of_frame(batch, columns or names)


def _arrow(batch: Any) -> list[Any]:
    return batch.to_batches() if hasattr(batch, "to_batches") else [batch]


def _of_array(batch: Any, columns: list[str] | None) -> np.ndarray:
    values = np.asarray(batch)
    if values.dtype.kind not in "biuf" or values.ndim < 2:
        raise InputError(
            f"a batch of type {values.dtype} and shape {values.shape} has no rows of numbers: yield arrays "
            "of shape (rows, columns), data frames or Arrow RecordBatches."
        )
    X = as_floats(flat(values))
    at = None if columns is None else places(columns, [str(j) for j in range(X.shape[1])], WHERE)
    return X if at is None or at == list(range(X.shape[1])) else X[:, at]


def _of_frame(frame: Any, columns: list[str]) -> np.ndarray:
    series = {str(one.name): one for one in frame_of(frame).iter_columns()}
    return np.column_stack([_of_series(series[name]) for name in columns])


def _of_series(series: Any) -> np.ndarray:
    import narwhals as nw

    if series.dtype in (nw.Datetime, nw.Date, nw.Time, nw.Duration):
        return numbers_in(plain(cells_of(series)), Spelling())[0]
    if not (series.dtype.is_numeric() or series.dtype == nw.Boolean):
        refuse_kind(str(series.name), f"values of type {series.dtype}", WHERE)
    missing = series.is_null().to_numpy().astype(bool)
    if not missing.any():
        return as_floats(series.to_numpy())
    return np.where(missing, np.nan, series.cast(nw.Float64).fill_null(0.0).to_numpy())
