"""Tables of the same columns as one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from robustae.data.mixed import MixedTable
from robustae.data.table import Table, as_mixed
from robustae.utils.checks import InputError

__all__ = ["joined", "same_columns"]


def same_columns(names: Sequence[str], first: Sequence[str], where: Any, where_first: Any) -> list[int]:
    """Return where the columns of the first table stand in another one.

    Raises
    ------
    InputError
        If it lacks one, or has more.
    """
    for name in first:
        if name not in names:
            raise InputError(f"{str(where)!r} lacks the column {name!r} of {str(where_first)!r}.")
    for name in names:
        if name not in first:
            raise InputError(f"{str(where)!r} has a column {name!r}, which {str(where_first)!r} lacks.")
    return [list(names).index(name) for name in first]


def joined(tables: Sequence[Table], names: Sequence[Any]) -> Table:
    """Return tables of the same columns one after the other; `names` are theirs, for refusals."""
    first = tables[0]
    if len(tables) == 1:
        return first
    at = [
        same_columns(table.columns, first.columns, name, names[0])
        for name, table in zip(names, tables, strict=True)
    ]
    if any(table.mixed for table in tables):
        parts = [as_mixed(table).columns for table in tables]
        columns = {name: _stacked([part[name] for part in parts]) for name in first.columns}
        return replace(first, values=MixedTable(columns))
    values = [
        table.values if table.values.ndim > 2 else table.values[:, j]
        for table, j in zip(tables, at, strict=True)
    ]
    return replace(first, values=np.concatenate(values))


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    if len({part.dtype.kind for part in parts}) == 1:
        return np.concatenate(parts)
    return np.concatenate([part.astype(object) for part in parts])
