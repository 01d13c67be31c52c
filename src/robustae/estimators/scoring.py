"""Scores of any number of rows in the memory of one batch: sources, files, Arrow batches."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from robustae.data.batches import of_arrow, places
from robustae.data.files import files_of
from robustae.data.formats import tables_of
from robustae.data.mixed import MixedTable
from robustae.data.options import ReadOptions
from robustae.data.streams import checked_rows, row_source
from robustae.data.table import Table
from robustae.data.writers import appending
from robustae.estimators.cells import CellMethods
from robustae.fit.spill import Progress
from robustae.utils.checks import InputError, need
from robustae.utils.json import plain

__all__ = [
    "facts_of",
    "identifiers_of",
    "score_batches",
    "score_columns",
    "score_source",
    "source_for",
    "summary",
]

CELLS = 2**21  # scored at a time: 16 MB in float64
WORST = 5  # rows named in a summary


def score_columns(model: CellMethods, X: Any, first: int = 0) -> dict[str, np.ndarray]:
    """Return the columns for each row: its number from `first` on, score, whether flagged, probability.

    Parameters
    ----------
    model : fitted estimator
        With `score_samples` and `offset_`; the probability of an anomaly needs `calibration_`, too.
    X : array or DataFrame, shape (n, d)
    first : int

    Returns
    -------
    dict of arrays, shape (n,)
        row, score, flagged, probability.
    """
    scores = _scores(model, X)
    columns = {
        "row": np.arange(first, first + len(scores)),
        "score": scores,
        "flagged": scores < model.offset_,
    }
    if hasattr(model, "calibration_"):
        columns["probability"] = 1 - model.calibration_.p_values(-scores)
    return columns


def identifiers_of(table: Table, model: CellMethods) -> dict[str, np.ndarray]:
    """Return the columns of a table that name its rows: as asked, or as the fit or reader recognised them."""
    plan = getattr(model, "plan_", None)
    known = {} if plan is None else {c.name for c in plan.columns if c.kind == "identifier"}
    there = table.values.columns if table.mixed else {}
    found = table.identifiers | {name: there[name] for name in known if name in there}
    return found | {name: values for name, values in table.spare.items() if not np.isnan(values).any()}


def _scores(model: CellMethods, X: Any) -> np.ndarray:
    if not len(X):
        return np.empty(0)
    return _quietly(model.score_samples, X)


def _quietly(method: Callable[[Any], np.ndarray], X: Any) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")  # matched by us
        return method(X)


# Sources -------------------------------------------------------------------------------------------


def source_for(
    model: CellMethods, data: Any, drop: Sequence[str] = (), options: ReadOptions | None = None
) -> Any:
    """Return rows with the columns that the model was fitted on: by name where both have names.

    Parameters
    ----------
    model : fitted estimator
    data : whatever `row_source` takes
        For a model of mixed columns files of tables.
    drop : sequence of str
        Columns to leave out, where the model knows none by name.
    options : ReadOptions, optional
        How text files are written.

    Returns
    -------
    RowSource
        Of a model that has a plan its batches are tables.

    Raises
    ------
    InputError
        If a column is not there, or there are more or fewer than the model's.
    """
    plan = getattr(model, "plan_", None)
    if plan is not None and not plan.only_numbers:
        return _MixedFiles(data, options or ReadOptions())
    names = _names_of(model) if plan is None else [plan.names[j] for j in plan.used]
    for name in set(drop) & set(names or ()):
        raise InputError(f"the model needs column {name!r}, which was to be left out.")
    kinds = {} if plan is None else {column.name: column for column in plan.columns}
    source = row_source(data, names, () if names else drop, options, kinds)
    if plan is not None:
        return _Planned(source)
    _check_count(model, len(source.columns))
    return source


def _names_of(model: CellMethods) -> list[str] | None:
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _check_count(model: CellMethods, found: int) -> None:
    wanted = model.n_features_in_
    if found != wanted:
        hint = "; name those to leave out by drop (--label or --drop)" if found > wanted else ""
        raise InputError(f"the model was fitted on {wanted} columns, and the data have {found}{hint}.")


class _Planned:
    """Rows of numbers as tables, for a model that knows how its columns are written."""

    def __init__(self, source: Any):
        self.columns, self.n_rows, self.dropped = (
            source.columns,
            source.n_rows,
            getattr(source, "dropped", {}),
        )
        self.about_rows = getattr(source, "about_rows", None)
        self._source = source

    def batches(self, rows: int) -> Iterator[MixedTable]:
        """Yield tables."""
        for X in checked_rows(self._source.batches(rows), self.columns):
            yield MixedTable(dict(zip(self.columns, X.T.astype(np.float64), strict=True)))


class _MixedFiles:
    """Files of tables with all their columns as they are."""

    def __init__(self, data: Any, options: ReadOptions):
        files = files_of(data) if isinstance(data, str | os.PathLike | list | tuple) else []
        if not files:
            raise InputError("a model of mixed columns scores files in batches: else hand in tables.")
        self._parts = [tables_of(file, options) for file in files]
        self.columns = self._parts[0].columns
        counts = [part.n_rows for part in self._parts]
        self.n_rows = None if None in counts else sum(counts)
        self.about_rows = sum(part.n_rows or part.about_rows for part in self._parts)

    def batches(self, rows: int) -> Iterator[Any]:
        """Yield tables."""
        for part in self._parts:
            yield from part.tables(rows)


def _parts(model: CellMethods, source: Any, progress: Progress | None) -> Iterator[dict[str, np.ndarray]]:
    first, rows = 0, max(1, CELLS // len(source.columns))
    batches = source.batches(rows)
    whole = isinstance(source, _MixedFiles | _Planned)
    for X in batches if whole else checked_rows(batches, source.columns):
        yield score_columns(model, X, first)
        first += len(X)
        if progress is not None:
            progress(first, source.n_rows)
    if not first:
        raise InputError("the data have no rows.")


def score_source(
    model: CellMethods,
    source: Any,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Any:
    """Score all rows of a source in the memory of one batch.

    Parameters
    ----------
    model : fitted estimator
    source : whatever `row_source` takes
    out : path, optional
        .csv, .parquet or .npy for row (from 0 on), score, flagged and probability; whole or absent.
    progress : callable, optional
        ``progress(rows so far, rows in all or None)``.

    Returns
    -------
    array, shape (n,), or dict
        The scores; with `out` their `summary`.

    Raises
    ------
    InputError
        If the source, its columns or `out` cannot be used, or a row has no observed cell.
    """
    source = source_for(model, source)
    if out is not None:
        return summary(model, source, out, progress)
    return np.concatenate([part["score"] for part in _parts(model, source, progress)])


def summary(
    model: CellMethods,
    source: Any,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Score all rows of a `source_for` the model; the scores themselves go to `out` or are forgotten.

    Returns
    -------
    dict
        rows, flagged (how many), threshold, most_anomalous (a dict for each of the worst rows).
    """
    rows = flagged = 0
    worst: dict[str, np.ndarray] = {}
    with nullcontext(_forget) if out is None else appending(out) as append:
        for part in _parts(model, source, progress):
            append(part)
            rows, flagged = rows + len(part["row"]), flagged + int(part["flagged"].sum())
            worst = _worst(worst, part)
    return facts_of(worst, rows, flagged, model)


def facts_of(columns: dict[str, np.ndarray], rows: int, flagged: int, model: CellMethods) -> dict[str, Any]:
    """Return the summary of scored rows: how many, how many flagged, threshold, the worst of `columns`."""
    worst = _worst({}, columns)
    top = [{name: plain(values[i]) for name, values in worst.items()} for i in range(len(worst["row"]))]
    return {"rows": rows, "flagged": flagged, "threshold": float(model.offset_), "most_anomalous": top}


def _forget(_: dict[str, np.ndarray]) -> None:
    """Nothing is kept."""


def _worst(worst: dict[str, np.ndarray], part: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the rows of least score so far; of equal ones the first."""
    both = {name: np.concatenate([worst.get(name, values[:0]), values]) for name, values in part.items()}
    order = np.argsort(both["score"], kind="stable")[:WORST]
    return {name: values[order] for name, values in both.items()}


# Arrow ---------------------------------------------------------------------------------------------


def score_batches(
    model: CellMethods, batches: Iterable[Any], worst: int = 0, keep: Sequence[str] = ()
) -> Iterator[Any]:
    """Score Arrow RecordBatches one after the other, as Spark's `mapInArrow` hands them out.

    Parameters
    ----------
    model : fitted estimator
    batches : iterable of pyarrow.RecordBatch
        Columns are found by name where the model knows names, else by position; NULL is missing.
    worst : int
        How many cells, those farthest off, are named for each row.
    keep : sequence of str
        Columns passed on as they are, for instance keys; without names in the model they are no cells.

    Yields
    ------
    pyarrow.RecordBatch
        `keep`, score (double), anomaly (bool); with `worst` also columns (list of string) and deviations
        (list of double, signed, in noise deviations), the farthest first.

    Raises
    ------
    InputError
        If a column is missing or holds no numbers, or a row has no observed cell.
    """
    arrow = need("parquet", "pyarrow", "scoring Arrow batches")
    first = 0
    for batch in batches:
        at = places(keep, batch.schema.names, "the batch")
        names, X = _rows(arrow, model, batch, keep)
        if isinstance(X, np.ndarray):
            next(checked_rows([X], names, first))
        scores = _scores(model, X)
        columns = {name: batch.column(j) for name, j in zip(keep, at, strict=True)}
        columns |= {
            "score": arrow.array(scores, arrow.float64()),
            "anomaly": arrow.array(scores < model.offset_),
        }
        if worst:
            columns |= _cells(arrow, _deviations(model, X), names, worst)
        yield arrow.RecordBatch.from_pydict(columns)
        first += batch.num_rows


def _rows(arrow: Any, model: CellMethods, batch: Any, keep: Sequence[str]) -> tuple[list[str], Any]:
    """Return the names of the model's cells, and the rows as it takes them."""
    plan = getattr(model, "plan_", None)
    if plan is not None:
        return plan.names, arrow.Table.from_batches([batch])
    found = batch.schema.names
    names = _names_of(model) or [name for name in found if name not in keep]
    _check_count(model, len(names))
    at = places(names, found, "the batch")
    return names, of_arrow(batch.select(at), "the batch")


def _deviations(model: CellMethods, X: Any) -> np.ndarray:
    return np.nan_to_num(_quietly(model.cell_scores, X)) if len(X) else np.empty((0, 1))


def _cells(arrow: Any, deviations: np.ndarray, names: list[str], worst: int) -> dict[str, Any]:
    """Name the cells farthest off in each row."""
    order = np.argsort(-np.abs(deviations), axis=1, kind="stable")[:, :worst]
    ends = np.arange(len(order) + 1, dtype=np.int32) * order.shape[1]
    labels = np.array(names, dtype=object)[order.ravel()]
    off = np.take_along_axis(deviations, order, axis=1).ravel()
    parts = {"columns": arrow.array(labels, arrow.string()), "deviations": arrow.array(off, arrow.float64())}
    return {name: arrow.ListArray.from_arrays(ends, values) for name, values in parts.items()}
