"""A table whose columns are kept as written: numbers beside texts, truth values and dates."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

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
        Columns said to be categories, whatever their values are.
    """

    columns: dict[str, np.ndarray]
    categories: frozenset[str] = frozenset()
    ndim: ClassVar[int] = 2

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, rows: Any) -> "MixedTable":
        """Return some rows, told by a slice or an array."""
        return replace(self, columns={name: values[rows] for name, values in self.columns.items()})

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return len(self), len(self.columns)

    def of(self, names: Iterable[str]) -> "MixedTable":
        """Return the columns of these names, in their order."""
        return replace(self, columns={name: self.columns[name] for name in names})
