"""The plan of a table: which column is what, and all of them as one matrix of numbers."""

import json
import warnings
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from robustae.data import MixedTable
from robustae.data.coding import decoded, encoded
from robustae.data.column_kinds import Column, LeftOut, column_of
from robustae.data.texts import unusable
from robustae.data.values import blank, plain
from robustae.utils.checks import InputError

__all__ = ["Columns"]


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
        why = unusable()
        plan = cls(
            tuple(
                column_of(name, plain(values), name in table.categories, why)
                for name, values in table.columns.items()
            )
        )
        if not plan.used:
            raise InputError(f"no column can be used: {plan.left_out_said()}.")
        return plan

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
    def only_numbers(self) -> bool:
        """Whether the columns used are numbers as they are."""
        return all(self.columns[j].kind == "number" for j in self.used)

    @property
    def left_out(self) -> dict[str, str]:
        """Columns left out, each with the reason."""
        return {column.name: column.why for column in self.columns if column.why}

    def kinds(self) -> dict[str, int]:
        """How many columns there are of each kind, the most frequent first."""
        return dict(Counter(column.kind for column in self.columns).most_common())

    def left_out_said(self) -> str:
        """Which columns are left out and why, the first few of them."""
        said = [f"{name} ({why})" for name, why in list(self.left_out.items())[:8]]
        return ", ".join(said) + (f" and {len(self.left_out) - 8} more" if len(self.left_out) > 8 else "")

    def warn(self) -> None:
        """Say which columns are left out."""
        if self.left_out:
            warnings.warn(f"left out: {self.left_out_said()}.", LeftOut, stacklevel=4)

    def encode(self, table: MixedTable) -> np.ndarray:
        """Return a table with these columns as numbers, NaN where missing, shape (n, D)."""
        parts = [encoded(self.columns[j], table.columns[self.columns[j].name]) for j in self.used]
        return np.hstack(parts)

    def missing(self, table: MixedTable) -> np.ndarray:
        """Which cells say nothing, shape (n, source columns); all of a column left out that is not there."""
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

    def as_json(self) -> str:
        """Return the plan as text."""
        return json.dumps([asdict(column) for column in self.columns])

    @classmethod
    def from_json(cls, text: str) -> "Columns":
        """Undo `as_json`."""
        return cls(tuple(_column(entry) for entry in json.loads(text)))


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
    return Column(**values)
