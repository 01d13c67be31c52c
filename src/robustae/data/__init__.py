"""Files in: CSV, Parquet, .npy and .npz as one array of numbers, or as columns of every kind."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from robustae.data.binary import read_npy, read_npz, read_parquet
from robustae.data.identifiers import index_reason
from robustae.data.mixed import MixedTable
from robustae.data.refusals import readable, similar
from robustae.data.table import (
    RARE,
    Request,
    Table,
    as_mixed,
    is_missing,
    match_columns,
    numbers_of,
    two_valued,
    without_index,
)
from robustae.data.text import read_text
from robustae.utils.checks import InputError, NotFound

__all__ = [
    "ENDINGS",
    "RARE",
    "MixedTable",
    "Table",
    "as_mixed",
    "index_reason",
    "is_missing",
    "match_columns",
    "numbers_of",
    "read_table",
    "two_valued",
]

ENDINGS = (".csv", ".parquet", ".npy", ".npz")
_READERS = {".npy": read_npy, ".npz": read_npz, ".parquet": read_parquet, ".pq": read_parquet}


def read_table(
    path: str | os.PathLike[str],
    label: str | int | None = None,
    *,
    positive: str | None = None,
    normal: str | None = None,
    drop: Iterable[str | int] = (),
) -> Table:
    """Read a table, or images, from a file.

    Parameters
    ----------
    path : str or path
        CSV (also with semicolons, then decimal commas too, or tabs; with a header or without),
        Parquet, .npy, or .npz (the array X, or the only one with rows and columns). Empty cells, NA,
        N/A, NaN, ?, null, - and . are missing, true and false are 1 and 0. Where any other text is
        more than a tenth of a column's cells all columns are kept as written (a `MixedTable`); less
        of it counts as missing.
    label : str or int, optional
        Name or position of the column (in .npz also the array) that says which rows are
        anomalies. It is never part of `values`.
    positive : str, optional
        The value of the label that means anomaly; this or `normal` is needed where labels are not 0 and 1.
        Every other value then means normal.
    normal : str, optional
        The value of the label that means normal; every other one then means anomaly.
    drop : iterable of str or int
        More columns to leave out, by name or position.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        One sentence: a file that is missing (NotFound), empty, ragged or no table at all, a label
        that is not there or not two-valued, no column left.
    """
    file = _existing(path)
    read = _READERS.get(file.suffix.lower(), read_text)
    with readable(path):
        table, labels = read(file, Request(label, tuple(drop)))
    table = without_index(table)
    return table if label is None else replace(table, labels=two_valued(labels, str(label), positive, normal))


def _existing(path: str | os.PathLike[str]) -> Path:
    file = Path(path).expanduser()
    if file.is_dir():
        inside = sorted(entry.name for entry in file.iterdir() if entry.suffix.lower() in ENDINGS)
        hint = f", for instance {inside[0]!r}" if inside else ""
        raise InputError(f"{str(path)!r} is a folder: name one file in it{hint}.")
    if not file.exists():
        raise NotFound(f"there is no file {str(path)!r}{similar(file)}")
    if not file.is_file():
        raise InputError(f"{str(path)!r} is not a regular file.")
    return file
