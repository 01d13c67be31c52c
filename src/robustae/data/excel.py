"""Spreadsheets: the first sheet that holds anything, its first row the names."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from robustae.data.dialect import Dialect
from robustae.data.layout import below_names, counts_up, distinct, note_on_rows, skipped
from robustae.data.options import ReadOptions
from robustae.data.text import Block
from robustae.utils.checks import InputError, need

__all__ = ["SheetFile"]

_BLOCK = 4096  # rows at a time
_SAMPLE = 50


class SheetFile:
    """One file of a spreadsheet program (.xlsx, .xls, .ods)."""

    suffix = ".csv"  # of results: sheets are read, not written
    dialect = Dialect()

    def __init__(self, path: Path, options: ReadOptions):
        self.path = path
        self.note, first, rows = _sheet(path)
        width = max((j + 1 for row in rows for j, cell in enumerate(row) if cell != ""), default=0)
        if not width:
            raise InputError(f"{str(path)!r} is empty.")
        if above := _titles(rows):
            self.note = "; ".join(filter(None, [self.note, skipped(above)]))
            first, rows = first + above, rows[above:]
        self.named = all(isinstance(cell, str) for cell in rows[0][:width]) or _counted(rows, width)
        names = [_name(cell) for cell in rows[0][:width]] if self.named else list(map(str, range(width)))
        self.columns = distinct(names)
        rows = rows[1:] if self.named else rows
        texts = [[_name(cell) for cell in row[:width]] for row in rows[:_SAMPLE]]
        if self.named and (below := below_names(texts)):
            self.note = "; ".join(filter(None, [self.note, note_on_rows(texts[0], below)]))
            first, rows = first + below, rows[below:]
        # Rows of nothing but empty cells are no rows.
        self._rows = [
            (line, [None if cell == "" else cell for cell in row[:width]])
            for line, row in enumerate(rows, first + self.named)
            if any(cell != "" for cell in row[:width])
        ]
        self.sample = [row for _, row in self._rows[:_SAMPLE]]

    @property
    def about_rows(self) -> int:
        """Rows in all."""
        return len(self._rows)

    def blocks(self) -> Iterator[Block]:
        """Yield the rows, some at a time."""
        rows = iter(self._rows)
        while block := list(islice(rows, _BLOCK)):
            lines, cells = zip(*block, strict=True)
            yield lines, list(zip(*cells, strict=True))


def _name(cell: Any) -> str:
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)


def _counted(rows: list[list[Any]], width: int) -> bool:
    """Whether the first row counts the columns, or names years."""
    return counts_up([[_name(cell) for cell in row[:width]] for row in rows[:_SAMPLE]])


def _titles(rows: list[list[Any]]) -> int:
    """How many rows with one cell at most are above one of names."""
    filled = [sum(cell != "" for cell in row) for row in rows[:_SAMPLE]]
    above = next((k for k, count in enumerate(filled) if count > 1), 0)
    named = above and all(isinstance(cell, str) for cell in rows[above])
    return above if named and filled[above] == max(filled) else 0


def _sheet(path: Path) -> tuple[str, int, list[list[Any]]]:
    """A remark on the sheet that is read, the line of its first row, and its rows."""
    calamine = need("excel", "python_calamine", "reading spreadsheets")
    try:
        book = calamine.CalamineWorkbook.from_path(str(path))
        names = book.sheet_names
        for name in names:
            sheet = book.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=True)
            if rows:
                note = f"{path.name} has {len(names)} sheets, and {name!r} is read" if len(names) > 1 else ""
                return note, (sheet.start or (0, 0))[0] + 1, rows
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} is no spreadsheet, or a damaged or locked one: {error}.") from error
    return "", 1, []
