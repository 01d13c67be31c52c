"""Rows and what a fitted model expects in them, cell by cell, with the values as they are written."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.estimators.cells import CellMethods
from robustae.fit.members import one_thread_for
from robustae.fit.mixed import missing_of, rows_of

__all__ = [
    "TableCells",
    "Residuals",
    "by_column",
    "cells_of",
    "matrix",
    "residuals",
    "runs",
    "spread",
    "take",
]

MOST_CELLS = 4_000_000  # worked on at once


@dataclass(frozen=True)
class TableCells:
    """Some rows of a table; d counts its source columns.

    Attributes
    ----------
    rows : array of int, shape (m,)
    observed, expected : list of d arrays, shape (m,)
        As written; NaN or None where there is nothing.
    deviations : array, shape (m, d)
        Signed: positive where more was observed than expected.
    flagged, missing : array of bool, shape (m, d)
    """

    rows: np.ndarray
    observed: list[np.ndarray]
    expected: list[np.ndarray]
    deviations: np.ndarray
    flagged: np.ndarray
    missing: np.ndarray


@dataclass(frozen=True)
class Residuals:
    """What the model made of some rows, by encoded column.

    Attributes
    ----------
    scaled : array, shape (m, D)
        On the model's scale, 0 where missing.
    values, expected : array, shape (m, D)
        In the columns' own units (days for dates); values NaN where missing.
    index : array of int, shape (D,)
        The source column of each.
    """

    scaled: np.ndarray
    values: np.ndarray
    expected: np.ndarray
    index: np.ndarray


def cells_of(model: CellMethods, X: Any, rows: np.ndarray) -> TableCells:
    """TableCells at some rows of X."""
    part = take(X, rows)
    return TableCells(
        rows,
        by_column(model, part),
        _as_shown(model, by_column(model, model.reconstruct(part))),
        matrix(model.cell_scores(part)),
        np.asarray(model.flags(part), dtype=bool).reshape(len(rows), -1),
        np.asarray(missing_of(model, part)).reshape(len(rows), -1),
    )


def _as_shown(model: CellMethods, expected: list[np.ndarray]) -> list[np.ndarray]:
    """As people read them: with a digit more than the column is written with, or in its form."""
    from robustae.data.coding import as_shown

    plan = getattr(model, "plan_", None)
    if plan is None:
        return expected
    return [as_shown(column, cells) for column, cells in zip(plan.columns, expected, strict=True)]


def residuals(model: CellMethods, X: Any) -> Residuals:
    """Return the first member's residuals."""
    rows, first = rows_of(model, X, model.image_shape_), model.models_[0]
    with one_thread_for(model.predictor):
        blocks = [(block.R, first.scaling.inverse(block.Zhat)) for block in first.blocks(rows.values)]
    scaled, expected = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    plan = getattr(model, "plan_", None)
    index = np.arange(scaled.shape[1]) if plan is None else plan.index
    return Residuals(scaled, rows.values, expected, index)


def by_column(model: CellMethods, X: Any) -> list[np.ndarray]:
    """Return the source columns of X as written, in the model's order; None in those that X lacks."""
    plan = getattr(model, "plan_", None)
    if plan is None:
        return [*matrix(X).T]
    columns = _columns_of(X)
    if columns is None:
        return [*np.asarray(X).T]
    nothing = np.full(len(X), None, dtype=object)
    return [columns.get(name, nothing) for name in plan.names]


def _columns_of(X: Any) -> dict[str, np.ndarray] | None:
    from robustae.data.dataframes import frame_of, of_frame

    if not hasattr(X, "columns"):
        return None
    return X.columns if isinstance(X.columns, dict) else of_frame(frame_of(X)).columns


def matrix(X: Any) -> np.ndarray:
    """Return numbers of any shape as float64 rows."""
    return np.asarray(X, dtype=np.float64).reshape(len(X), -1)


def take(X: Any, rows: np.ndarray) -> Any:
    """Return some rows of an array, a MixedTable or a DataFrame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def spread(n: int, at_most: int) -> np.ndarray:
    """At most `at_most` of the rows 0..n-1, evenly spaced."""
    return np.arange(0, n, max(1, math.ceil(n / max(at_most, 1))))


def runs(X: Any) -> Iterator[np.ndarray]:
    """Row numbers of X in runs of at most MOST_CELLS cells."""
    n, *sides = X.shape
    step = max(1, MOST_CELLS // max(math.prod(sides), 1))
    return (np.arange(start, min(start + step, n)) for start in range(0, n, step))
