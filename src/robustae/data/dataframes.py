"""Data frames of pandas, polars or pyarrow as mixed tables, and results as frames of their kind."""

import warnings
from decimal import Decimal
from typing import Any

import numpy as np

from robustae.data.identifiers import index_reason
from robustae.data.marks import marks_of
from robustae.data.mixed import MixedTable
from robustae.data.values import foreign
from robustae.utils.checks import InputError

__all__ = ["cells_of", "collected", "frame_of", "is_mixed", "of_frame", "replaced", "warn_of_marks"]


def frame_of(X: Any) -> Any:
    """Return X as a narwhals frame, None where it is no frame."""
    if isinstance(X, (np.ndarray, list, MixedTable)) or not hasattr(X, "columns"):
        return None
    import narwhals as nw

    _refuse_doubled(X)
    frame = nw.from_native(X, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        return None
    return nw.from_native(_dense(frame.to_native()), eager_only=True)


def collected(X: Any) -> Any:
    """A frame whose rows are at hand, where X is a plan for one (LazyFrame); all else as it is."""
    return frame_of(X).to_native() if hasattr(X, "collect") and hasattr(X, "collect_schema") else X


def _refuse_doubled(X: Any) -> None:
    """Refuse a frame of pandas with two columns of one name, which would not decide which is meant."""
    twins = getattr(getattr(X, "columns", None), "duplicated", None)
    found = [] if twins is None else [name for name, twin in zip(X.columns, twins(), strict=True) if twin]
    if found:
        raise InputError(f"X has several columns called {found[0]!r}: give each a name of its own.")


def _dense(frame: Any) -> Any:
    """A pandas frame without sparse columns, which can be neither changed nor compared cell by cell."""
    sparse = (
        [name for name, kind in getattr(frame, "dtypes", {}).items() if hasattr(kind, "fill_value")]
        if (hasattr(frame, "sparse") or type(frame).__module__.startswith("pandas"))
        else []
    )
    return frame.astype({name: frame.dtypes[name].subtype for name in sparse}) if sparse else frame


def is_mixed(frame: Any, by_name: bool = True) -> bool:
    """Whether a frame has a column of anything but numbers and truth values, or (by name) of row numbers."""
    import narwhals as nw

    huge = (nw.Int128, nw.UInt128)  # which NumPy lacks
    plain = [
        dtype.is_numeric() and not dtype.is_decimal() and dtype not in huge or dtype == nw.Boolean
        for dtype in frame.schema.values()
    ]
    if not all(plain):
        return True
    return by_name and _numbers_rows(frame)


def _numbers_rows(frame: Any) -> bool:
    """Whether a column only numbers the rows and another is left, which a file's reader would leave out."""
    import narwhals as nw

    found = [
        series.dtype != nw.Boolean
        and not series.is_null().any()
        and bool(index_reason(str(series.name), series.to_numpy().astype(float)))
        for series in frame.iter_columns()
    ]
    return any(found) and not all(found)


def warn_of_marks(frame: Any) -> None:
    """Warn of columns of a frame that hold such as -999 where a value may be missing."""
    numbers = ((str(s.name), cells_of(s)) for s in frame.iter_columns() if s.dtype.is_numeric())
    for note in marks_of((name, cells.astype(float)) for name, cells in numbers):
        warnings.warn(f"{note}.", UserWarning, stacklevel=4)


def of_frame(frame: Any) -> MixedTable:
    """Return the columns of a frame; numbers keep whether they are whole."""
    import narwhals as nw

    graded = frozenset(str(s.name) for s in frame.iter_columns() if s.dtype in (nw.Categorical, nw.Enum))
    return MixedTable({str(series.name): cells_of(series) for series in frame.iter_columns()}, graded)


def cells_of(series: Any) -> np.ndarray:
    """Return the cells of a series: numbers, dates, lengths of time, or objects, None where missing."""
    import narwhals as nw

    dtype, missing = series.dtype, series.is_null().to_numpy().astype(bool)
    if _has_periods(series):
        return series.to_native().dt.to_timestamp().to_numpy().astype("datetime64[us]")
    if dtype.is_integer() and not missing.any() and dtype not in (nw.Int128, nw.UInt128):
        return series.to_numpy()
    if dtype.is_numeric():
        return np.where(missing, np.nan, series.cast(nw.Float64).fill_null(0.0).to_numpy())
    if dtype in (nw.Datetime, nw.Date):
        return _dates(series)
    if dtype == nw.Duration:
        return series.to_numpy().astype("timedelta64[us]")
    cells = np.empty(len(missing), dtype=object)
    cells[:] = [None if no else cell for cell, no in zip(series.to_list(), missing, strict=True)]
    if dtype in (nw.Categorical, nw.Enum) and foreign(cells):  # bins, as of pandas.cut
        cells[:] = [None if cell is None else str(cell) for cell in cells]
    return cells


def _has_periods(series: Any) -> bool:
    """Whether a series of pandas holds periods, which are read as their first day."""
    return str(getattr(series.to_native(), "dtype", "")).startswith("period")


def _dates(series: Any) -> np.ndarray:
    import narwhals as nw

    if series.dtype == nw.Date:
        return series.to_numpy().astype("datetime64[D]")
    if getattr(series.dtype, "time_zone", None):
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return series.to_numpy().astype("datetime64[us]")


def replaced(frame: Any, columns: dict[str, tuple[np.ndarray, np.ndarray]]) -> Any:
    """Return the frame with some cells of some columns changed, all others as they are.

    Parameters
    ----------
    frame : narwhals frame
    columns : dict of str to (rows, values)
        Where the new cells lie, and what is written there.
    """
    changed = [
        series.scatter(rows.tolist(), _fitting(series, values))
        for series in frame.iter_columns()
        if str(series.name) in columns
        for rows, values in [columns[str(series.name)]]
    ]
    return frame.with_columns(*changed).to_native()


def _fitting(series: Any, values: np.ndarray) -> Any:
    """Values in the type of a series, zones included."""
    import narwhals as nw

    if _has_periods(series):
        native = series.to_native()
        return list(type(native)(values).dt.to_period(native.dtype.freq))
    if series.dtype.is_integer():
        return np.rint(values).astype(np.int64).tolist()
    if series.dtype == nw.Boolean and values.dtype.kind == "f":
        return (values > 0.5).tolist()
    if series.dtype.is_decimal():
        return [Decimal(f"{value:.{getattr(series.dtype, 'scale', 6)}f}") for value in values.tolist()]
    if series.dtype == nw.Duration:
        return np.rint(values * 3.6e9).astype("timedelta64[us]")
    zone = getattr(series.dtype, "time_zone", None)
    if not zone:
        return values.tolist() if values.dtype.kind != "M" else values
    new = nw.new_series("new", values, backend=series.implementation)
    return new.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def frame_like(frame: Any, columns: dict[str, np.ndarray]) -> Any:
    """Return columns as a frame of the same kind, in pandas of the same index and the same names."""
    import narwhals as nw

    plain = {name: _plain(values) for name, values in columns.items()}
    made = nw.from_dict(plain, backend=frame.implementation).to_native()
    if hasattr(made, "set_axis"):
        native = frame.to_native()
        made.index = native.index
        if [*map(str, native.columns)] == [*columns]:
            made.columns = native.columns
    return made


def _plain(values: np.ndarray) -> Any:
    return values.tolist() if values.dtype.kind == "O" else values
