"""Cells that cannot be read as a model's columns are: a warning, and a refusal where they are many."""

import warnings

import numpy as np

from robustae.data.coding import spelling_of
from robustae.data.columns import Columns
from robustae.data.mixed import MixedTable
from robustae.data.spelling import Spelling
from robustae.data.table import slipped
from robustae.utils.checks import InputError

__all__ = ["Unreadable", "numbers_by", "slips_by"]


class Unreadable(UserWarning):
    """Cells of columns of numbers or dates that are neither, and count as missing."""


def numbers_by(plan: Columns, table: MixedTable) -> np.ndarray:
    """Return a table as numbers by a plan, shape (n, D); with a warning of cells that cannot be read.

    Raises
    ------
    InputError
        Where they are many, or the table is written in another form than the plan's.
    """
    _refuse_other_spelling(plan, table)
    _warn_of_unreadable(plan, table)
    return plan.encode(table)


def slips_by(plan: Columns, table: MixedTable, lines: np.ndarray | None) -> dict[str, str]:
    """Return by column the first cell that cannot be read as in the fit, and how many there are."""
    found = plan.read_as(table.hints).unreadable(table)
    return {name: slipped(table.columns[name], cells, lines) for name, cells in found.items()}


def _warn_of_unreadable(plan: Columns, table: MixedTable) -> None:
    for name, cells in plan.unreadable(table).items():
        first = slipped(table.columns[name], cells, None)
        count, share = int(cells.sum()), float(cells.mean())
        what = f"column {name!r}: {count} of {len(cells)} cells cannot be read as in the fit ({first})"
        if share > table.most_unreadable:
            raise InputError(
                f"{what}: give --decimal, --thousands or --date-format, or empty these cells; "
                f"--unreadable {np.ceil(100 * share) / 100:g} takes them as missing."
            )
        warnings.warn(f"{what} and count as missing.", Unreadable, stacklevel=4)


def _refuse_other_spelling(plan: Columns, table: MixedTable) -> None:
    """Refuse a table that is clearly written in another form than the plan's, even if it can be read."""
    if table.spellings is None:
        return
    for j in plan.used:
        column = plan.columns[j]
        found = table.spellings.get(column.name)
        if column.kind in ("number", "date") and found is not None:
            _refuse_other(column.name, spelling_of(column), found)


def _refuse_other(name: str, fitted: Spelling, found: Spelling) -> None:
    if fitted.kind != found.kind or not found.certain:
        return
    if fitted.kind == "date" and {fitted.order, found.order} == {"dmy", "mdy"}:
        raise InputError(
            f"column {name!r} has its dates as {found.order}, and the fit had them as {fitted.order}: "
            f"--date-format {found.order} reads them so."
        )
    if fitted.kind == "number" and fitted.decimal != found.decimal and found.digits + bool(found.thousands):
        raise InputError(
            f"column {name!r} is written with {found.decimal!r} as the decimal mark, and the fit had "
            f"{fitted.decimal!r}: --decimal {found.decimal!r} reads it so."
        )
