"""Files in: CSV, Parquet, .npy and .npz as one array of numbers, or as columns of every kind."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from robustae.data.cells import RARE, is_missing, numbers_of
from robustae.data.formats import ENDINGS, ending_of, read_files
from robustae.data.identifiers import index_reason
from robustae.data.mixed import MixedTable
from robustae.data.options import ReadOptions
from robustae.data.refusals import readable, similar
from robustae.data.table import (
    Request,
    Table,
    as_mixed,
    marked_missing,
    match_columns,
    two_valued,
    without_index,
)
from robustae.data.totals import ending_of_table
from robustae.utils.checks import InputError, NotFound

__all__ = [
    "ENDINGS",
    "RARE",
    "MixedTable",
    "ReadOptions",
    "Table",
    "as_mixed",
    "index_reason",
    "is_missing",
    "match_columns",
    "numbers_of",
    "read_table",
    "two_valued",
]


def read_table(
    path: str | os.PathLike[str] | Sequence[Path],
    label: str | int | None = None,
    *,
    positive: str | None = None,
    normal: str | None = None,
    drop: Iterable[str | int] = (),
    options: ReadOptions | None = None,
) -> Table:
    """Read a table, or images, from a file.

    Parameters
    ----------
    path : str or path, or a list of paths
        One file, or several of the same columns. CSV (separated by commas, semicolons, tabs or bars; with a
        header or without; also packed by gzip), JSON lines, a spreadsheet (.xlsx), Parquet, .npy, or .npz
        (the array X, or the only one with rows and columns). Empty cells, NA, N/A, NaN, ?, null, - and . are
        missing, true and false are 1 and 0. Where columns are all plain numbers they make a matrix, else they
        are kept as written (a `MixedTable`), with how each is written, found out from all its cells: decimal
        and thousands mark, unit, order of dates.
    label : str or int, optional
        Name or position of the column (in .npz also the array) that marks which rows are
        anomalies. It is never part of `values`.
    positive : str, optional
        The value of the label that means anomaly; this or `normal` is needed where labels are not 0 and 1.
        Every other value then means normal.
    normal : str, optional
        The value of the label that means normal; every other one then means anomaly.
    drop : iterable of str or int
        More columns to leave out, by name or position.
    options : ReadOptions, optional
        What is known of how the file is written.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        One sentence: a file that is missing (NotFound), empty, ragged or no table at all, a label
        that is not there or not two-valued, no column left.
    """
    files = [_existing(path)] if isinstance(path, str | os.PathLike) else [_existing(one) for one in path]
    options = options or ReadOptions()
    with readable(files[0]):
        table, labels = read_files(files, Request(label, tuple(drop), options.identifier), options)
    ending = ending_of_table(table)
    notes = [*table.notes, *ending.notes, *marked_missing(table)]
    table = without_index(replace(table, notes=notes, apart=ending.apart))
    return table if label is None else replace(table, labels=two_valued(labels, str(label), positive, normal))


def _existing(path: str | os.PathLike[str]) -> Path:
    file = Path(path).expanduser()
    if file.is_dir():
        inside = sorted(entry.name for entry in file.iterdir() if ending_of(entry) in ENDINGS)
        hint = f", for instance {inside[0]!r}" if inside else ""
        raise InputError(f"{str(path)!r} is a folder: name one file in it{hint}.")
    if str(path) == "-":
        raise InputError("rows on standard input are scored by watch: name a file here.")
    if not file.exists():
        raise NotFound(f"there is no file {str(path)!r}{similar(file)}")
    if not file.is_file():
        raise InputError(f"{str(path)!r} is not a regular file.")
    return file
