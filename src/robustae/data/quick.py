"""Large files of plain numbers, by pyarrow where it reads them as we do: any doubt, and it does not."""

from types import ModuleType
from typing import Any

import numpy as np

from robustae.data.cells import MISSING
from robustae.data.numerals import is_either
from robustae.data.options import ReadOptions
from robustae.data.periods import are_periods
from robustae.data.text import TextFile

__all__ = ["NULLS", "arrow_csv", "matrix_of_file"]

NULLS = sorted({"NaN", *MISSING, *map(str.upper, MISSING), *map(str.title, MISSING)})
LARGE = 1 << 22  # bytes from which it is worth a second look at the file
_BLOCK = 1 << 24  # bytes looked at at a time
_EDGE = 64  # bytes of a cell that may lie over the end of a block
# What raises doubts, where digits are 9 (a leading zero 0) and cells are set apart by commas: quotes and
# blanks, and digits that may be codes or dates (see `deciding.may_be_no_amount`).
_ZEROS = (b",00", b",09")
_NINES = (b",%s," % (b"9" * 8), b",%s," % (b"9" * 14), b",%s" % (b"9" * 16))
_DIGITS = (*_NINES, b"9e9", b",+", b", ", b'"', b"\0")


def arrow_csv() -> ModuleType | None:
    """Pyarrow with its reader of CSV, where it is installed."""
    try:
        import pyarrow
        import pyarrow.csv
    except ImportError:
        return None
    return pyarrow


def matrix_of_file(file: Any, names: list[str], options: ReadOptions) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the rows of some columns and their lines; None where pyarrow may read them otherwise.

    Parameters
    ----------
    file : CellFile
    names : list of str
        The columns wanted.
    options : ReadOptions
    """
    arrow = arrow_csv()
    if arrow is None or not isinstance(file, TextFile) or not _is_plain(file, options):
        return None
    above = file.preamble + file.named
    count = _lines(file)
    if count is None:
        return None
    values = _parsed(arrow, file, names, above)
    if values is None or len(values) != count - above:
        return None
    if np.isinf(values).any() or np.isnan(values).all(axis=1).any():
        return None
    return values, np.arange(above + 1, count + 1)


def _is_plain(file: TextFile, options: ReadOptions) -> bool:
    """Whether nothing is asked for, and nothing found so far, that pyarrow would not do."""
    asked = options.types or options.texts or options.decimal or options.thousands
    if asked or file.dialect.encoding != "utf-8" or file.path.suffix == ".gz" or file.below:
        return False
    if file.path.stat().st_size < LARGE or len(file.dialect.delimiter) != 1 or file.dialect.delimiter == " ":
        return False
    width = len(file.columns)
    columns = [[row[j] for row in file.sample if len(row) == width] for j in range(width)]
    return not any(map(are_periods, columns)) and all(_is_pointed(cells, file) for cells in columns)


def _is_pointed(cells: list[str], file: TextFile) -> bool:
    """Whether it is known of a column that its points are decimal ones: between commas they always are."""
    return file.dialect.delimiter == "," or any("." in cell and not is_either(cell) for cell in cells)


def _lines(file: TextFile) -> int | None:
    """Lines of a file; None where something in it raises doubts."""
    apart = file.dialect.delimiter.encode() + b"\n"
    signs = bytes.maketrans(b"12345678E" + apart, b"99999999e" + b"," * len(apart))
    zeros = bytes.maketrans(b"0", b"9")
    count, rest, last = 0, b"\n", b"\n"
    with open(file.path, "rb") as binary:
        while block := binary.read(_BLOCK):
            text = (rest + block).replace(b"\r\n", b"\n").translate(signs)
            if any(sign in text for sign in _ZEROS) or b"\r" in text[:-1]:
                return None
            plain = text.translate(zeros)
            if any(sign in plain for sign in _DIGITS):
                return None
            count, rest, last = count + block.count(b"\n"), block[-_EDGE:], block[-1:]
    return count + (last != b"\n")


def _parsed(arrow: Any, file: TextFile, names: list[str], above: int) -> np.ndarray | None:
    csv = arrow.csv
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, arrow.float64()), include_columns=names, null_values=NULLS
    )
    read = csv.ReadOptions(column_names=file.columns, skip_rows=above, use_threads=False)
    parse = csv.ParseOptions(delimiter=file.dialect.delimiter)
    try:
        table = csv.read_csv(file.path, read, parse, convert)
    except arrow.ArrowInvalid:
        return None
    values = np.empty((table.num_rows, len(names)))
    for j, name in enumerate(names):
        values[:, j] = table[name].to_numpy()
    return values
