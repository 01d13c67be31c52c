"""Last rows of a table that are none of its own: totals of those above, and notes."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from robustae.data.cells import is_missing
from robustae.data.mixed import MixedTable
from robustae.data.table import Table, numbers_by_column

__all__ = ["Ending", "ending_of_table"]

_TOTAL = re.compile(
    r"(?:grand|sub|overall|column)?[ -]?totals?|sum|summe|gesamt(?:summe|ergebnis)?|insgesamt|endsumme"
    r"|total g[eé]n[eé]ral|totaux|somme|ensemble|totaal|totale|totali|totalt|total geral|suma(?: total)?|soma"
    r"|razem|og[oó]łem|celkem|summa|yhteensä|итого|всего|合計|总计|genel toplam|toplam",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"average|mean|median|mittelwert|durchschnitt|schnitt|moyenne|media|promedio|média|średnia|gemiddelde"
    r"|count|anzahl|n|min|max|minimum|maximum|std|sd|standard deviation|standardabweichung|var|variance",
    re.IGNORECASE,
)
FEWEST = 4  # rows above
CLOSE, ROUNDED = 1e-9, 5e-4  # relative: beside no word of total, and beside one


@dataclass(frozen=True)
class Ending:
    """What the last rows of a table are.

    Attributes
    ----------
    apart : int
        Rows at the end that are no part of a fit.
    notes : list of str
        A sentence on each of them, and on one that may be a total.
    """

    apart: int = 0
    notes: list[str] = field(default_factory=list)


def ending_of_table(table: Table) -> Ending:
    """Look at the last rows of a table that was read from lines."""
    lines = table.lines
    if lines is None or len(lines) <= FEWEST or table.values.ndim > 2:
        return Ending()
    rows = _Rows(table)
    last = len(lines) - 1
    while last > FEWEST and rows.is_note(last):
        last -= 1
    below = len(lines) - 1 - last
    notes = [f"line {lines[last + 1]} is a note below the table, and no part of a fit"] if below == 1 else []
    if below > 1:
        notes = [f"lines {lines[last + 1]} to {lines[-1]} are notes below the table, and no part of a fit"]
    return rows.total(last, f"line {lines[last]}", Ending(below, notes))


class _Rows:
    """The rows of a table as cells, and as numbers where these are needed."""

    def __init__(self, table: Table):
        self._table = table
        columns = table.values.columns if isinstance(table.values, MixedTable) else {}
        self._cells = {name: v for name, v in {**columns, **table.identifiers}.items() if v.dtype.kind == "O"}

    @cached_property
    def _numbers(self) -> dict[str, np.ndarray]:
        return dict(numbers_by_column(self._table))

    def is_note(self, row: int) -> bool:
        """Whether a row has one text alone, which no other row has, where others have numbers."""
        texts = [name for name, values in self._cells.items() if not _is_empty(values[row])]
        if len(texts) != 1 or self._is_number(texts[0], row):
            return False
        numbers = [values for name, values in self._numbers.items() if name not in texts]
        if len(numbers) < 2 or any(values[row] == values[row] for values in numbers):
            return False
        bare = np.flatnonzero(np.all([np.isnan(values[:row]) for values in numbers], axis=0))
        at_the_end = (bare == np.arange(row - len(bare), row)).all()
        return bool(at_the_end) and self._alone(texts[0], row)

    def _is_number(self, name: str, row: int) -> bool:
        return name in self._numbers and not np.isnan(self._numbers[name][row])

    def _alone(self, name: str, row: int) -> bool:
        cells = self._cells[name]
        return not (cells[:row] == cells[row]).any()

    def _word(self, words: re.Pattern[str], row: int) -> str:
        """A cell of a row that is such a word, and stands in no other row; empty for none."""
        found = ((name, values[row]) for name, values in self._cells.items() if isinstance(values[row], str))
        return next(
            (
                cell.strip()
                for name, cell in found
                if words.fullmatch(cell.strip().rstrip(":")) and self._alone(name, row)
            ),
            "",
        )

    def _are_sums(self, row: int, close: float) -> bool:
        """Whether the numbers of a row that are there, and no zeros, are the sums of those above."""
        some = 0
        for values in self._numbers.values():
            total = np.nansum(values[:row])
            if values[row] == values[row] and (values[row] or total):
                some += 1
                if abs(values[row] - total) > close * (abs(total) + 1e-3 * np.nanmax(np.abs(values[:row]))):
                    return False
        return some > 0

    def total(self, row: int, where: str, ending: Ending) -> Ending:
        """Add what a row says of those above."""
        word = self._word(_TOTAL, row)
        if word and self._are_sums(row, ROUNDED):
            note = f"{where} ({word!r}) has the sums of the rows above, and is no part of a fit"
            return Ending(ending.apart + 1, [*ending.notes, note])
        if word := word or self._word(_OTHER, row):
            return replace(
                ending, notes=[*ending.notes, f"{where} ({word!r}) may sum up those above, and is a row"]
            )
        if not self._cells and len(self._numbers) > 1 and self._are_sums(row, CLOSE):
            return replace(
                ending, notes=[*ending.notes, f"{where} has the sums of those above, and is a row"]
            )
        return ending


def _is_empty(cell: Any) -> bool:
    return cell is None or isinstance(cell, str) and is_missing(cell)
