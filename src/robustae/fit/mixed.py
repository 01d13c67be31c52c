"""A mixed table as rows of numbers that know the way back."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from robustae.data import MixedTable
from robustae.data.coding import as_shown, written
from robustae.data.column_kinds import Column
from robustae.data.columns import Columns
from robustae.data.dataframes import frame_like, frame_of, is_mixed, of_frame, replaced, warn_of_marks
from robustae.data.kinds import Kind, kind_of
from robustae.data.rows import NumberRows, checked, dense, read_rows
from robustae.data.unreadable import numbers_by
from robustae.fit.model import Block, Model
from robustae.fit.sources import Sources
from robustae.utils.checks import InputError, suggestion

__all__ = ["MixedRows", "OfColumns", "encoded", "missing_of", "rows_of"]


class OfColumns(BaseEstimator):
    """An estimator that is fitted to columns, and what it keeps of them: of a mixed table the plan."""

    plan_: Columns | None
    n_features_in_: int
    feature_names_in_: np.ndarray

    @property
    def image_shape_(self) -> tuple[int, ...] | None:
        """Of images (height, width[, channels])."""
        return None


@dataclass(frozen=True)
class MixedRows(NumberRows):
    """Rows of a mixed table; `values` are its encoded columns.

    Attributes
    ----------
    table : MixedTable
        As it came in, by the plan's names.
    plan : Columns
    """

    table: MixedTable = MixedTable({})
    plan: Columns = Columns(())

    @cached_property
    def kind(self) -> Kind:
        """That of the numbers, where the columns used are nothing else."""
        return kind_of(self.values, mixed=not self.plan.only_numbers)

    @cached_property
    def sources(self) -> Sources | None:
        """Source columns, where they are not all numbers."""
        return Sources.of(self.plan)

    def shaped(self, values: np.ndarray) -> np.ndarray:
        """Results by source or encoded column have no other shape."""
        return values

    def deviations(self, model: Model, block: Block) -> np.ndarray:
        """How far off the cells are, by source column, 0 for those left out."""
        return self._wide(model.deviations_of(block))

    def _wide(self, found: np.ndarray) -> np.ndarray:
        out = np.zeros((len(found), len(self.plan.columns)))
        out[:, self.plan.used] = found
        return out

    def by_cell(self, flags: np.ndarray) -> np.ndarray:
        """Results by source column, repeated for its encoded ones."""
        return flags[:, self.plan.index]

    def decoded(self, cells: np.ndarray) -> Any:
        """Return encoded results as a table like the input."""
        return self._like(self.plan.decode(cells))

    def of(self, rows: np.ndarray) -> "MixedRows":
        """Return some of the rows."""
        values = self.values[rows]
        return replace(self, values=values, shape=(len(values), self.shape[1]), table=self.table[rows])

    def sizes(self, N: np.ndarray) -> Any:
        """Return N by source column: as it is, and for groups its norm; missing where left out."""
        columns = zip(self.plan.names, self.norms(N).T, strict=True)
        return self._like(MixedTable({name: values.copy() for name, values in columns}))

    def norms(self, N: np.ndarray) -> np.ndarray:
        """The same as an array, shape (n, source columns)."""
        parts = zip(self.plan.columns, self.plan.parts(N), strict=True)
        return np.column_stack([_size(part, bool(column.why)) for column, part in parts])

    def _like(self, table: MixedTable) -> Any:
        return table if self.frame is None else frame_like(self.frame, table.columns)

    def framed(self, values: np.ndarray) -> Any:
        """Results by source column, as a frame where X was one."""
        if self.frame is None:
            return values
        return frame_like(self.frame, dict(zip(self.plan.names, values.T, strict=True)))

    def repaired(self, cells: np.ndarray) -> Any:
        """Return the table that came in with the source cells replaced whose encoded cells are changed."""
        changed = self.plan.parts(cells != self.values)
        new, kept = self.plan.decode(cells), self.plan.unreadable(self.table)
        columns = {}
        for column, part in zip(self.plan.columns, changed, strict=True):
            rows = np.flatnonzero(part.any(1) & (column.kind != "text") & ~kept.get(column.name, False))
            if len(rows):
                like = self.table.columns[column.name]
                like = like[rows] if like.dtype.kind == "O" else like
                columns[column.name] = rows, written(column, new.columns[column.name][rows], like)
        return _overwritten(self.table, columns) if self.frame is None else replaced(self.frame, columns)

    def observed(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return cells as they are written."""
        return _objects(
            [self.table.columns[self.plan.names[j]][i] for i, j in zip(rows, columns, strict=True)]
        )

    def expected(self, cells: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return cells of a block's encoded reconstruction as values, in the digits of their columns."""
        table = self.plan.decode(cells)
        decoded = [as_shown(column, table.columns[column.name]) for column in self.plan.columns]
        return _objects([decoded[j][i] for i, j in zip(rows, columns, strict=True)])

    def shares(self, model: Model, block: Block) -> np.ndarray:
        """Each source cell's part of its row's energy."""
        return self._wide(model.cell_shares(block))


def _size(N: np.ndarray, left_out: bool) -> np.ndarray:
    if left_out:
        return np.full(len(N), np.nan)
    return N[:, 0] if N.shape[1] == 1 else np.linalg.norm(N, axis=1)


def _objects(cells: list[Any]) -> np.ndarray:
    out = np.empty(len(cells), dtype=object)
    out[:] = [cell.item() if isinstance(cell, np.generic) else cell for cell in cells]
    return out


def _overwritten(table: MixedTable, columns: dict[str, tuple[np.ndarray, np.ndarray]]) -> MixedTable:
    new = dict(table.columns)
    for name, (rows, values) in columns.items():
        new[name] = new[name].copy()
        new[name][rows] = values
    return MixedTable(new, table.categories)


def rows_of(
    estimator: OfColumns, X: Any, image_shape: tuple[int, ...] | None, reset: bool = False
) -> NumberRows:
    """Validate X; a table of more than numbers is encoded, by the estimator's plan or (reset) a new one.

    Raises
    ------
    InputError
        If a column of the plan is not there, another is, a row has no observed cell, or nothing is of use.
    ValueError
        From scikit-learn, for what is no table.
    """
    plan = None if reset else getattr(estimator, "plan_", None)
    X = dense(X)
    frame = frame_of(X)
    if reset and frame is not None:
        warn_of_marks(frame)
    table = _mixed(X, frame, plan, reset)
    if table is None or plan is None and not reset:
        native = X if frame is None else frame.to_native()
        return _numbers(estimator, native if table is None else table, image_shape, reset)
    if image_shape is not None:
        raise InputError("image_shape is for images, and X is a table with columns that are not numbers.")
    plan = _planned(estimator, table) if plan is None else plan
    plan = plan.read_as(table.hints)
    table = _matched(table, plan)
    values = checked(numbers_by(plan, table))
    return MixedRows(values, (len(values), len(plan.columns)), frame, None, table, plan)


def _numbers(estimator: OfColumns, X: Any, image_shape: tuple[int, ...] | None, reset: bool) -> NumberRows:
    if reset:
        estimator.plan_ = None
    if isinstance(X, MixedTable):
        X = _as_numbers(estimator, X)
    return read_rows(estimator, X, image_shape, reset)


def _as_numbers(estimator: OfColumns, table: MixedTable) -> np.ndarray:
    """A table of cells for a model of plain numbers, which are to be written as such, or as described."""
    names = getattr(estimator, "feature_names_in_", table.columns)
    plan = Columns(tuple(Column(str(name), "number") for name in names)).read_as(table.hints)
    table = _matched(table, plan)
    return numbers_by(plan, table)


def encoded(X: Any) -> np.ndarray:
    """Return any X as numbers, shape (n, D): for methods that take nothing else."""
    table = _mixed(X, frame_of(X), None)
    return np.asarray(X) if table is None else Columns.fit(table).encode(table)


def missing_of(estimator: OfColumns, X: Any) -> np.ndarray:
    """Which cells of X are missing to a fitted estimator, of X's shape; of mixed tables by source column."""
    rows = rows_of(estimator, X, estimator.image_shape_)
    if isinstance(rows, MixedRows):
        return rows.plan.missing(rows.table)
    return rows.shaped(rows.values != rows.values)


def _mixed(X: Any, frame: Any, plan: Columns | None, reset: bool = False) -> MixedTable | None:
    """Return X by columns where it is a mixed table, or must be one for the plan."""
    if isinstance(X, MixedTable):
        return X
    if frame is not None and (plan is not None or is_mixed(frame, by_name=reset)):
        return of_frame(frame)
    if plan is None or frame is not None:
        return None
    array = np.asarray(X)
    if array.ndim != 2 or array.shape[1] != len(plan.columns):
        raise InputError(
            f"X must have the {len(plan.columns)} columns of the fit, and has shape {array.shape}."
        )
    return MixedTable({name: array[:, j] for j, name in enumerate(plan.names)})


def _planned(estimator: OfColumns, table: MixedTable) -> Columns:
    if len(table) < 2:
        raise InputError(f"a model needs at least 2 rows, and X has {len(table)} sample(s).")
    plan = Columns.fit(table)
    plan.warn()
    estimator.plan_ = plan
    estimator.n_features_in_ = len(plan.columns)
    estimator.feature_names_in_ = np.array(plan.names, dtype=object)
    return plan


def _matched(table: MixedTable, plan: Columns) -> MixedTable:
    names = plan.names
    for name in table.columns:
        if name not in names:
            raise InputError(f"X has a column {name!r}, which the fit did not know: leave it out.")
    for j in plan.used:
        if names[j] not in table.columns:
            raise InputError(
                f"X has no column {names[j]!r}, which the model needs: {suggestion(names[j], table.columns)}"
            )
    if not len(table):
        raise InputError("X has no rows.")
    return table
