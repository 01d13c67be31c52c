"""Single cells of text: missing, a plain number, or something else."""

from collections.abc import Sequence

import numpy as np

__all__ = ["MISSING", "RARE", "is_absent", "is_missing", "is_number", "number", "numbers_of", "plain_minus"]

RARE = 0.1  # share of a column's cells that may be unreadable: they count as missing

MISSING = ("", "na", "n/a", "#n/a", "#na", "nan", "<na>", "nat", "?", "null", "-", ".", "--", "---", "n.a.")
MISSING += ("\u2013", "\u2014")  # dashes
MISSING += ("n/d", "n.d.", "k.a.", "k. a.", "<null>", "(null)", "[null]", r"\n")  # the last is of MySQL
# What spreadsheets write where a formula failed, in English, German, French, Spanish and Italian.
_ERRORS = ("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#n/a n/a", "#spill!", "#calc!")
_ERRORS += ("#wert!", "#bezug!", "#zahl!", "#nv", "#überlauf!", "#valeur!", "#nom?", "#nombre!", "#nul!")
_ERRORS += ("#¡div/0!", "#¡valor!", "#¡ref!", "#¿nombre?", "#¡num!", "#valore!", "#rif!", "#nome?", "#n/d")
_ERRORS += ("#fehler!", "#error!", "1.#qnan", "-1.#ind", "1.#ind", "-nan", "-nan(ind)", "nan(ind)")
# Words and signs that mean a missing value in a column of numbers or dates; elsewhere they may be a category.
_ABSENT = (
    "none missing unknown undefined unavailable unbekannt fehlt leer empty inconnu desconocido sconosciuto "
    "desconhecido onbekend okänd brak nodata nd n.d nc n.c. nb n.b. s/d s.d. tbd tba tbc error err fehler "
    "failed * ** *** / // : .. ... … (blank) (leer) (empty) (vide)"
)
_ABSENTS = frozenset(_ABSENT.split()) | {
    *("keine angabe", "keine angaben", "nicht verfügbar", "not available", "not applicable", "not measured"),
    *("not recorded", "no data", "no value", "sin dato", "sin datos", "non disponible", "brak danych"),
}
_WORDS = dict.fromkeys((*MISSING, *_ERRORS), float("nan")) | {"true": 1.0, "false": 0.0}
_MINUS = str.maketrans(
    dict.fromkeys("\u2212\u2013\ufe63\uff0d", "-")
    | dict.fromkeys("\u00a0\u202f\u2009", " ")
    | {"\u00b7": ".", "\u066b": ".", "\u066c": ","}  # decimal marks and one of thousands
)


def plain_minus(cell: str) -> str:
    """Return a cell with a hyphen for every minus sign, and the usual blanks and marks of numbers."""
    return cell if cell.isascii() else cell.translate(_MINUS)


def number(cell: str) -> float | None:
    """Return what a cell of text means: a number, NaN where it means missing, None where it is other text."""
    word = cell.strip().lower()
    if word in _WORDS:
        return _WORDS[word]
    try:
        # float() takes "1_000" for 1000; in data it is an identifier.
        return None if "_" in word else float(word)
    except ValueError:
        return None


def numbers_of(cells: Sequence[str]) -> tuple[np.ndarray, list[int]]:
    """Return cells of text as plain numbers, and where there is other text instead."""
    if "_" not in "".join(cells):
        try:
            return np.array(list(map(float, cells))), []
        except ValueError:
            pass
    known = {cell: number(cell) for cell in set(cells)}
    numbers = [known[cell] for cell in cells]
    return np.array(numbers, dtype=float), [i for i, value in enumerate(numbers) if value is None]


def is_number(cell: str) -> bool:
    """Whether a cell of text holds a plain number."""
    value = number(cell)
    return value is not None and value == value


def is_missing(cell: str) -> bool:
    """Whether a cell of text means that its value is missing."""
    value = number(cell)
    return value is not None and value != value


def is_absent(cell: str) -> bool:
    """Whether a cell means that its value is missing, in a column of numbers or dates."""
    return cell.strip().lower() in _ABSENTS
