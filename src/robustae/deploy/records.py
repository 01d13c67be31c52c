"""Rows as they come over a line, cells column by column, made what a fitted model takes."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from robustae.data import MixedTable, numbers_of
from robustae.data.cells import is_number, number
from robustae.data.columns import Columns
from robustae.data.layout import distinct, with_points
from robustae.data.table import position
from robustae.utils.checks import InputError, suggestion

if TYPE_CHECKING:
    from robustae.estimators.autoencoder import RobustAutoencoder


__all__ = ["RowReader", "numbers"]

SHOWN = 40  # characters of a cell in a sentence


@dataclass(frozen=True)
class RowReader:
    """A fitted model and the columns it takes.

    Attributes
    ----------
    model : RobustAutoencoder
        A copy that takes numbers as arrays without a word about names.
    columns : list of str
        All columns of the fit: names, or positions as text.
    needed : list of str or None
        Names of the columns that rows must bring; None where the model knows none.
    skipped : tuple of str
        Columns that come and are no part of the model, by name or position: a label.
    """

    model: "RobustAutoencoder"
    columns: list[str]
    needed: list[str] | None
    skipped: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: "RobustAutoencoder", skipped: Sequence[str] = ()) -> "RowReader":
        """Return the reader of a fitted model, which leaves out columns (by name or position)."""
        skipped = tuple(skipped)
        if model.plan_ is not None:
            plan = model.plan_
            return cls(model, plan.names, [plan.names[j] for j in plan.used], skipped)
        names = getattr(model, "feature_names_in_", None)
        if names is None:
            return cls(model, [str(j) for j in range(model.n_features_in_)], None, skipped)
        model = copy.copy(model)
        del model.feature_names_in_
        return cls(model, [str(name) for name in names], [str(name) for name in names], skipped)

    def named(self) -> Any:
        """Return the model with the names of its columns, as it was handed over."""
        if self.mixed or self.needed is None:
            return self.model
        model = copy.copy(self.model)
        model.feature_names_in_ = np.array(self.columns, dtype=object)
        return model

    def cells(self, row: list[str], delimiter: str) -> list[str]:
        """Return the cells of a line: plain numbers between semicolons may have decimal commas."""
        return row if self.mixed else with_points(row, delimiter)

    @property
    def mixed(self) -> bool:
        """Whether columns may hold more than numbers."""
        return self.model.plan_ is not None

    def heading(self, cells: Sequence[str]) -> list[str] | None:
        """Return the names that the first row of a text gives, None where it is a row of numbers."""
        names = [cell.strip() for cell in cells]
        if self.needed is not None and {*self.needed} <= {*distinct(names)}:
            return names
        if self._by_position:
            return None
        texts = any(number(cell) is None for cell in cells)
        named = texts and (self.needed is not None or not any(map(is_number, cells)))
        return names if named else None

    @property
    def _by_position(self) -> bool:
        """Whether the columns of the fit had no names, though some are more than plain numbers."""
        return self.mixed and self.columns == [str(j) for j in range(len(self.columns))]

    @property
    def takes_matrix(self) -> bool:
        """Whether rows may come as a matrix of numbers."""
        plan = self.model.plan_
        return plan is None or plan.only_numbers

    def of_matrix(self, X: np.ndarray) -> Any:
        """Return a matrix of the columns needed as the model takes it."""
        return self.rows(list(X.T), self.needed) if self.mixed else X

    def places(self, names: Sequence[str] | None, count: int) -> list[int]:
        """Return where the columns needed stand among those that come: by name, or by position.

        Raises
        ------
        InputError
            If one is not there, or, without names, their number differs.
        """
        if names is not None and self.needed is not None:
            found = distinct([*map(str, names)])  # as files are read
            _refuse_twins(names, found, self.needed)
            at = {name: j for j, name in enumerate(found)}
            return [_place(name, at) for name in self.needed]
        if self.mixed and not self._by_position:
            raise InputError(f"the columns need names: {_listed(self.needed or [])}.")
        kept = self._kept(names, count)
        if len(kept) != len(self.columns):
            raise InputError(f"the model takes {len(self.columns)} columns, and the rows have {len(kept)}.")
        return [kept[self.columns.index(name)] for name in self.needed or self.columns]

    def _kept(self, names: Sequence[str] | None, count: int) -> list[int]:
        """Places of the columns that are not skipped."""
        known = [*map(str, names)] if names is not None else [str(j) for j in range(count)]
        skipped = {position(name, known, "column") for name in self.skipped}
        return [j for j in range(count) if j not in skipped]

    def rows(self, columns: Sequence[Any], names: Sequence[str] | None = None) -> Any:
        """Return rows as the model takes them.

        Parameters
        ----------
        columns : sequence of sequences of n cells
            Texts, numbers, truth values, None where missing; or arrays.
        names : sequence of str, optional
            Of the columns; those that the model does not need are left out.

        Returns
        -------
        array, shape (n, d), or MixedTable

        Raises
        ------
        InputError
            If a column is not there, or a cell cannot be a number where the model takes numbers.
        """
        places = self.places(names, len(columns))
        wanted = self.needed or self.columns
        if self.mixed:
            table = MixedTable({name: _cells(columns[j]) for name, j in zip(wanted, places, strict=True)})
            _refuse_unreadable(table, self.model.plan_)
            return table
        return np.column_stack([numbers(columns[j], name) for name, j in zip(wanted, places, strict=True)])


def _refuse_unreadable(table: MixedTable, plan: Columns | None) -> None:
    """Refuse a cell in a column of numbers that is neither one nor missing: no answer would tell."""
    for name, cells in plan.unreadable(table).items() if plan is not None else ():
        i = int(np.flatnonzero(cells)[0])
        written = table.columns[name]
        raise InputError(
            f"column {name!r}{_row(i, written)}: {_short(written[i])} cannot be read as in the fit."
        )


def _refuse_twins(names: Sequence[str], found: Sequence[str], needed: Sequence[str]) -> None:
    """Refuse a name that stands twice where the model knows one: which is meant would not be clear."""
    known = set(needed)
    for name, numbered in zip(map(str, names), found, strict=True):
        if name.strip() in known and numbered != name.strip() and numbered not in known:
            raise InputError(f"there are several columns called {name!r}: give each a name of its own.")


def _place(name: str, at: dict[str, int]) -> int:
    if name not in at:
        raise InputError(
            f"there is no column {name!r}, which the model needs: {suggestion(name, [*at][:20])}"
        )
    return at[name]


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:8])) + (", ..." if len(names) > 8 else "")


def _cells(cells: Any) -> np.ndarray:
    if isinstance(cells, np.ndarray):
        return cells
    out = np.empty(len(cells), dtype=object)
    out[:] = cells
    return out


def numbers(cells: Any, name: str) -> np.ndarray:
    """Return cells of one column as numbers, NaN where missing, shape (n,).

    Raises
    ------
    InputError
        If a cell holds anything else, or an infinity.
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iufb":
        values, slips = cells.astype(np.float64), []
    else:
        values, slips = numbers_of(["" if cell is None else str(cell) for cell in cells])
    if slips:
        raise InputError(f"column {name!r}{_row(slips[0], cells)}: {_short(cells[slips[0]])} is no number.")
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise InputError(f"column {name!r}{_row(int(infinite[0]), cells)} holds an infinity.")
    return values


def _row(i: int, cells: Any) -> str:
    """Where among several rows."""
    return f", row {i}" if len(cells) > 1 else ""


def _short(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
