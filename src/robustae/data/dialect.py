"""How a file of text is written, so that results can be written alike."""

from dataclasses import dataclass

__all__ = ["GUARDED", "Dialect", "guarded", "unguarded"]

GUARDED = "=+-@\t\r"  # with which a cell begins that spreadsheets take for a formula


@dataclass(frozen=True)
class Dialect:
    """How the cells of a file of text are written.

    Attributes
    ----------
    delimiter, encoding, decimal : str
        What separates the cells, the encoding, and the decimal mark.
    guard : bool
        Whether texts that a spreadsheet would take for a formula get an apostrophe in front.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    guard: bool = True


def guarded(cell: str) -> str:
    """A text that no spreadsheet takes for a formula; numbers stay as they are."""
    return f"'{cell}" if cell[:1] in GUARDED and cell and not _is_number(cell) else cell


def unguarded(cell: str) -> str:
    """Undo `guarded`."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in GUARDED and len(cell) > 1 else cell


def _is_number(cell: str) -> bool:
    """Whether a cell is a number by its signs, or marks a missing one; no formula has so few letters."""
    return all(sign in "0123456789.,' eE\u00a0\u202f" for sign in cell[1:]) and cell[:1] in "+-"
