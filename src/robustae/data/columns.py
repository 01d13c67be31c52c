"""The plan of a table: which column is what, and all of them as one matrix of numbers."""

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from robustae.data.coding import decoded, encoded, measured, unreadable
from robustae.data.column_kinds import Column, LeftOut, as_measured, column_of
from robustae.data.deciding import decided, refuse_either
from robustae.data.mixed import MixedTable
from robustae.data.spelling import Hints, Spelling
from robustae.data.texts import unusable
from robustae.data.values import blank, is_text, plain
from robustae.utils.checks import InputError

__all__ = ["Columns", "matrix_of", "plan_of", "spellings_of"]


@dataclass(frozen=True)
class Columns:
    """How the columns of a table become D numbers and back.

    Attributes
    ----------
    columns : tuple of Column
        One for each source column.
    """

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, table: MixedTable) -> "Columns":
        """Tell the kinds of all columns.

        Raises
        ------
        InputError
            If no column is of use.
        """
        why, cells = unusable(), {name: plain(values) for name, values in table.columns.items()}
        given = table.hints.types
        graded = table.categories | {name for name, kind in given.items() if kind in ("category", "text")}
        spellings = spellings_of(table, cells)
        plan = cls(
            tuple(
                column_of(name, values, name in graded, why, spellings.get(name))
                for name, values in cells.items()
            )
        ).with_constants()
        for column in plan.columns:
            if column.spelling is not None and not column.why:
                refuse_either(column.name, column.spelling)
        if not plan.used:
            raise InputError(f"no column can be used: {plan.left_out_text()}.")
        return plan

    @property
    def only_numbers(self) -> bool:
        """Whether all columns that are used are numbers, truth values or dates."""
        return all(self.columns[j].measured for j in self.used)

    def with_constants(self) -> "Columns":
        """Keep constant numbers beside nothing but numbers, as in a matrix; elsewhere they are left out."""
        if not self.only_numbers or not self.used:
            return self
        kept = [c for c in self.columns if c.kind == "constant" and not c.levels]
        return self.having({c.name: replace(c, kind=c.kind_of_values, why="") for c in kept})

    @property
    def marked(self) -> list[str]:
        """Columns that are read otherwise than as plain numbers."""
        return [
            column.name
            for column in self.columns
            if column.kind != "number"
            or column.spelling is not None
            and not column.spelling.as_programs_write
        ]

    def notes(self) -> dict[str, str]:
        """What should be known about how columns are read."""
        return {c.name: c.spelling.note for c in self.columns if c.spelling and c.spelling.note and not c.why}

    @property
    def names(self) -> list[str]:
        """Names of all source columns."""
        return [column.name for column in self.columns]

    @property
    def used(self) -> list[int]:
        """Positions of the source columns that are not left out."""
        return [j for j, column in enumerate(self.columns) if not column.why]

    @property
    def index(self) -> np.ndarray:
        """Position of the source column of each encoded one, shape (D,)."""
        return np.repeat(np.arange(len(self.columns)), [column.width for column in self.columns])

    @property
    def groups(self) -> np.ndarray:
        """The same, counted among the columns used, shape (D,)."""
        return np.unique(self.index, return_inverse=True)[1]

    @property
    def left_out(self) -> dict[str, str]:
        """Columns left out, each with the reason."""
        return {column.name: column.why for column in self.columns if column.why}

    def kinds(self) -> dict[str, int]:
        """How many columns there are of each kind, the most frequent first."""
        return dict(Counter(column.kind for column in self.columns).most_common())

    def left_out_text(self) -> str:
        """Which columns are left out and why, the first few of them."""
        each = [f"{name} ({why})" for name, why in list(self.left_out.items())[:8]]
        return ", ".join(each) + (f" and {len(self.left_out) - 8} more" if len(self.left_out) > 8 else "")

    def warn(self) -> None:
        """Say which columns are left out, and how those are read that could be read otherwise."""
        if self.left_out:
            warnings.warn(f"left out: {self.left_out_text()}.", LeftOut, stacklevel=4)
        for name, note in self.notes().items():
            warnings.warn(f"column {name!r}: {note}.", UserWarning, stacklevel=4)

    def unreadable(self, table: MixedTable) -> dict[str, np.ndarray]:
        """Which cells of the columns of numbers and dates cannot be read, where there are any; (n,) each."""
        found = {
            self.columns[j].name: unreadable(self.columns[j], table.columns[self.columns[j].name])
            for j in self.used
            if self.columns[j].measured
        }
        return {name: cells for name, cells in found.items() if cells.any()}

    def read_as(self, hints: Hints) -> "Columns":
        """Return the plan for a file whose marks or dates are given, whatever they were in the fit."""
        new = {c.name: _respelled(c, hints) for c in self.columns if c.kind in ("number", "date")}
        return self.having(new) if hints.decimal or hints.date_order else self

    def encode(self, table: MixedTable) -> np.ndarray:
        """Return a table with these columns as numbers, NaN where missing, shape (n, D)."""
        parts = [encoded(self.columns[j], table.columns[self.columns[j].name]) for j in self.used]
        return np.hstack(parts)

    def missing(self, table: MixedTable) -> np.ndarray:
        """Which cells hold nothing, shape (n, source columns); all of a column left out that is not there."""
        cells = [_missing(column, table.columns.get(column.name), len(table)) for column in self.columns]
        return np.column_stack(cells)

    def parts(self, cells: np.ndarray) -> list[np.ndarray]:
        """Return the encoded cells of each source column, shape (n, width) each."""
        ends = np.cumsum([column.width for column in self.columns])
        return np.split(cells, ends[:-1], axis=1)

    def decode(self, cells: np.ndarray) -> MixedTable:
        """Return numbers of shape (n, D) as a table; None in columns left out."""
        parts = zip(self.columns, self.parts(cells), strict=True)
        return MixedTable({column.name: decoded(column, part) for column, part in parts})

    def having(self, by_name: dict[str, Column]) -> "Columns":
        """Return a plan with some columns replaced."""
        return replace(self, columns=tuple(by_name.get(column.name, column) for column in self.columns))

    def without_cells(self) -> "Columns":
        """Return a plan without what only a few rows hold: rare levels, and cells given as examples."""
        return replace(self, columns=tuple(column.without_cells() for column in self.columns))

    def as_json(self) -> str:
        """Return the plan as text."""
        return json.dumps([asdict(column) for column in self.columns])

    @classmethod
    def from_json(cls, text: str) -> "Columns":
        """Undo `as_json`."""
        return cls(tuple(_column(entry) for entry in json.loads(text)))


def plan_of(columns: Sequence[str], kinds: Mapping[str, Column]) -> Columns | None:
    """The plan of rows of numbers that were read in batches; None where all are plain numbers."""
    plan = Columns(tuple(kinds.get(name, Column(name, "number")) for name in columns))
    return plan if plan.marked else None


def spellings_of(table: MixedTable, cells: dict[str, np.ndarray]) -> Mapping[str, Spelling | None]:
    """How the text columns of a table are written: as its reader found, or as its cells show."""
    if table.spellings is not None:
        return table.spellings
    texts = {name: values.tolist() for name, values in cells.items() if is_text(values)}
    return decided({name: texts[name] for name in texts if name not in table.categories}, table.hints)


def _respelled(column: Column, hints: Hints) -> Column:
    old = column.spelling or Spelling("date" if column.kind == "date" else "number")
    decimal = hints.decimal or old.decimal
    thousands = "" if old.thousands == decimal else old.thousands
    new = replace(old, decimal=decimal, thousands=thousands, order=hints.date_order or old.order)
    return replace(column, spelling=new)


def _missing(column: Column, values: np.ndarray | None, n: int) -> np.ndarray:
    if values is None:
        return np.ones(n, dtype=bool)
    if column.why or column.kind == "text":
        return blank(plain(values))
    return np.asarray(np.isnan(encoded(column, values)).any(axis=1))


def _column(entry: dict[str, Any]) -> Column:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
    }
    spelling = values.pop("spelling", None)
    return Column(**values, spelling=None if spelling is None else Spelling(**spelling))


def matrix_of(table: MixedTable | np.ndarray) -> np.ndarray:
    """Return a table of nothing but numbers, truth values and dates as numbers, NaN where unreadable.

    Raises
    ------
    InputError
        If a column is text.
    """
    if not isinstance(table, MixedTable):
        return table
    cells = {name: plain(values) for name, values in table.columns.items()}
    spellings = spellings_of(table, cells)
    found = {name: as_measured(name, values, spellings.get(name)) for name, values in cells.items()}
    for name, column in found.items():
        if column is None:
            raise InputError(f"column {name!r} holds text: leave it out.")
    return np.column_stack([measured(column, cells[name])[0] for name, column in found.items() if column])
