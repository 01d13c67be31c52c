"""The kinds of files that hold rows, by their endings: how each is read whole, and in batches.

A new kind is a module that reads it, and a line here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from robustae.data.arrays import NpyPart
from robustae.data.binary import read_npy, read_npz, read_parquet
from robustae.data.excel import SheetFile
from robustae.data.joining import joined
from robustae.data.jsonlines import JsonFile, is_json
from robustae.data.lines import CellPart
from robustae.data.options import ReadOptions
from robustae.data.rowgroups import ParquetPart
from robustae.data.table import Raw, Request
from robustae.data.tabular import CellFile, Chained, read_whole
from robustae.data.text import TextFile
from robustae.utils.checks import InputError

__all__ = ["ENDINGS", "FORMATS", "Format", "ending_of", "format_of", "read_files", "tables_of"]


@dataclass(frozen=True)
class Format:
    """How a kind of file is read.

    Attributes
    ----------
    name : str
    whole : callable
        ``whole(path, request, options)``: the table, and the label.
    part : callable or None
        ``part(path, options)``: the same file in batches of rows; None where it is read whole only.
    cells : callable or None
        ``cells(path, options)``: the same as a `CellFile`, where rows are cells: several are read as one.
    """

    name: str
    whole: Callable[[Path, Request, ReadOptions], Raw]
    part: Callable[[Path, ReadOptions], Any] | None = None
    cells: Callable[[Path, ReadOptions], CellFile] | None = None


def _of_cells(name: str, file: Callable[[Path, ReadOptions], CellFile]) -> Format:
    """A format whose rows are cells."""
    return Format(
        name,
        lambda path, request, options: read_whole(file(path, options), request, options),
        lambda path, options: CellPart(file(path, options), options),
        file,
    )


_CSV, _JSON, _SHEET = (
    _of_cells("CSV", TextFile),
    _of_cells("JSON lines", JsonFile),
    _of_cells("spreadsheet", SheetFile),
)
_PARQUET = Format("Parquet", lambda *given: read_parquet(*given[:2]), lambda path, _: ParquetPart(path))
_NPY = Format(".npy", lambda *given: read_npy(*given[:2]), lambda path, _: NpyPart(path))
_NPZ = Format(".npz", lambda *given: read_npz(*given[:2]))
FORMATS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".psv", ".csv.gz", ".tsv.gz", ".txt.gz"), _CSV),
    **dict.fromkeys((".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz"), _JSON),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"), _SHEET),
    **dict.fromkeys((".parquet", ".pq"), _PARQUET),
    ".npy": _NPY,
    ".npz": _NPZ,
}
ENDINGS = tuple(FORMATS)


def ending_of(path: Path) -> str:
    """The ending of a name, with what is before .gz."""
    ends = [end.lower() for end in path.suffixes]
    return "".join(ends[-2:] if ends[-1:] == [".gz"] else ends[-1:])


def format_of(path: Path) -> Format:
    """Return how a file is read, by its ending; without a known one it is text: JSON lines, or CSV."""
    found = FORMATS.get(ending_of(path), _CSV)
    return _JSON if found is _CSV and is_json(path) else found


def tables_of(path: Path, options: ReadOptions) -> Any:
    """Return a file that gives its rows as tables of all its columns: ``tables(rows)``.

    Raises
    ------
    InputError
        If it is a file of arrays.
    """
    found = format_of(path)
    part = None if found.part is None else found.part(path, options)
    if not hasattr(part, "tables"):
        raise InputError(f"{str(path)!r} is a file of arrays, and the model takes tables.")
    return part


def read_files(files: Sequence[Path], request: Request, options: ReadOptions) -> Raw:
    """Read files whole, one after the other: what is found out about cells is found out from all of them."""
    found = [format_of(file) for file in files]
    if len(files) == 1:
        return found[0].whole(files[0], request, options)
    cells = [one.cells(file, options) for one, file in zip(found, files, strict=True) if one.cells]
    if len(cells) == len(files):
        return read_whole(Chained(cells), request, options)
    tables, labels = zip(
        *(one.whole(file, request, options) for one, file in zip(found, files, strict=True)), strict=True
    )
    return joined(tables, list(map(str, files))), None if labels[0] is None else list(chain(*labels))
