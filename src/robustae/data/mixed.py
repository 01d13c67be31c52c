"""A table whose columns are kept as written: numbers beside texts, truth values and dates."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from robustae.data.cells import RARE
from robustae.data.spelling import Hints, Spelling

__all__ = ["MixedTable"]


@dataclass(frozen=True)
class MixedTable:
    """Columns of one length, each of its own kind.

    Attributes
    ----------
    columns : dict of str to array of shape (n,)
        Numbers (NaN where missing), bool, datetime64 (NaT where missing), or objects: what was
        written, None where missing.
    categories : frozenset of str
        Columns given as categories, whatever their values are.
    hints : Hints
        What the user gives, or the file shows, about how cells are written.
    spellings : mapping of str to Spelling or None, optional
        How the text columns of a file are written, as its reader found.
    most_unreadable : float
        Share of a column's cells that may be unreadable, and then count as missing.
    """

    columns: dict[str, np.ndarray]
    categories: frozenset[str] = frozenset()
    hints: Hints = field(default_factory=Hints)
    spellings: Mapping[str, Spelling | None] | None = None
    most_unreadable: float = RARE
    ndim: ClassVar[int] = 2

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, rows: Any) -> "MixedTable":
        """Return some rows, by a slice or an array."""
        return replace(self, columns={name: values[rows] for name, values in self.columns.items()})

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self), len(self.columns)

    def of(self, names: Iterable[str]) -> "MixedTable":
        """Return the columns of these names, in their order."""
        return replace(self, columns={name: self.columns[name] for name in names})
