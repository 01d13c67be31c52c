"""How the commands read rows: options that say how files are written, and tables for models."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.utils.checks import InputError

if TYPE_CHECKING:
    from robustae.data import ReadOptions, Table
    from robustae.estimators.autoencoder import RobustAutoencoder

__all__ = ["dialect_like", "file_options", "read", "rows_for", "small", "without"]

_MARKS = {"point": ".", "comma": ",", "space": " ", "blank": " ", "apostrophe": "'"}


def file_options(
    sep: Annotated[
        str | None,
        options.option("SIGN", "--sep", help="Sign between the cells of a line: any one sign, tab or pipe."),
    ] = None,
    decimal: Annotated[
        str | None, options.option("SIGN", "--decimal", help="Decimal mark of numbers: point or comma.")
    ] = None,
    thousands: Annotated[
        str | None, options.option("SIGN", "--thousands", help="Sign between the thousands of numbers.")
    ] = None,
    encoding: Annotated[
        str | None,
        options.option("NAME", "--encoding", help="Encoding of text files, such as cp1252 or utf-16."),
    ] = None,
    date_format: Annotated[
        str | None,
        options.option(
            "ORDER",
            "--date-format",
            help="Order of day, month and year in dates: dmy, mdy, ymd, or a pattern such as %d.%m.%Y.",
        ),
    ] = None,
    types: Annotated[
        list[str] | None,
        options.option(
            "COLUMN=KIND",
            "--types",
            help="Kind of one column: number, category, date or text; may be repeated.",
        ),
    ] = None,
    identifier: Annotated[
        str | None,
        options.option(
            "COLUMN",
            "--id",
            help="Column that names the rows: not used by the model, but kept in the results.",
        ),
    ] = None,
    unreadable: Annotated[
        float,
        typer.Option(
            "--unreadable",
            metavar="SHARE",
            min=0,
            max=1,
            help="Share of a column's cells that may be unreadable and then count as missing.",
        ),
    ] = 0.1,
) -> Any:
    """How files are written, as `ReadOptions`: a group for `options.takes`."""
    from robustae.data import ReadOptions

    pairs = [(pair, *map(str.strip, pair.rpartition("="))) for pair in types or []]
    for pair, name, equals, _ in pairs:
        if not (name and equals):
            raise InputError(f"--types {pair!r} must be COLUMN=KIND, for instance code=category.")
    return ReadOptions(
        sep=sep,
        decimal=_MARKS.get(decimal or "", decimal),
        thousands=_MARKS.get(thousands or "", thousands),
        encoding=encoding,
        date_format=date_format,
        types={name: kind for _, name, _, kind in pairs},
        identifier=identifier,
        unreadable=unreadable,
    )


def small(data: Sequence[Path], most_bytes: int) -> bool:
    """Whether rows are read as a whole: a file of at most `most_bytes` in float64, or files of few rows."""
    from robustae.data.files import decoded_bytes, files_of, rows_of_files
    from robustae.data.whole import MOST_ROWS

    if len(data) == 1 and not data[0].exists() and not _is_pattern(data[0]):
        return True  # refused with a sentence when it is read
    files = files_of(data)
    if files[0].suffix.lower() == ".npz" and len(files) == 1:
        return True
    return rows_of_files(files) <= MOST_ROWS if len(files) > 1 else decoded_bytes(files) <= most_bytes


def _is_pattern(path: Path) -> bool:
    return any(sign in str(path) for sign in "*?[")


def read(
    data: Path | Sequence[Path],
    label: str | None = None,
    *,
    how: "ReadOptions | None" = None,
    model: "RobustAutoencoder | None" = None,
    **wanted: Any,
) -> "Table":
    """Read rows, all of whose cells are finite or missing; for a model as its columns are written."""
    from robustae.data import read_table
    from robustae.data.files import files_of

    if model is not None and model.plan_ is not None and how is not None:
        how = replace(how, texts=model.plan_.marked)
    paths = [data] if isinstance(data, Path) else list(data)
    whole = paths[0] if len(paths) == 1 and paths[0].is_file() else None
    there = whole is not None or len(paths) > 1 or paths[0].is_dir() or _is_pattern(paths[0])
    table = read_table(whole or (files_of(paths) if there else paths[0]), label, options=how, **wanted)
    _refuse_infinity(table)
    for note in table.notes:
        typer.echo(f"Note: {note}.", err=True)
    return table


def without(
    data: Path | Sequence[Path], label: str | None, drop: Iterable[str] | None, **more: Any
) -> "Table":
    """Read rows; the label is only left out, whatever its values."""
    table = read(data, drop=[*([] if label is None else [label]), *(drop or [])], **more)
    why = {label: "the label"} if label in table.dropped else {}
    return replace(table, dropped=table.dropped | why)


def _refuse_infinity(table: "Table") -> None:
    import numpy as np

    from robustae.data.table import numbers_by_column

    for name, values in numbers_by_column(table):
        where = np.argwhere(np.isinf(values))
        if len(where):
            row = int(where[0][0])
            place = f"row {row} (counted from 0)" if table.lines is None else f"line {table.lines[row]}"
            named = f"column {name!r}, " if name else ""
            raise InputError(f"{named}{place} holds an infinity: empty that cell or leave the column out.")


def rows_for(model: "RobustAutoencoder", table: "Table") -> "Table":
    """Return the table with the columns that the model was fitted on, in their order."""
    import math

    from robustae.data import match_columns

    if model.plan_ is not None:
        return _planned(model.plan_, table)
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        table = match_columns(table, [str(name) for name in names])
    elif table.mixed:
        table = _numbers_only(table)
    d = math.prod(table.values.shape[1:])
    if d != model.n_features_in_:
        hint = "; name those to leave out by --label or --drop" if d > model.n_features_in_ else ""
        raise InputError(
            f"the model was fitted on {model.n_features_in_} columns, and the data have {d}{hint}."
        )
    return table


def _planned(plan: Any, table: "Table") -> "Table":
    """Return the columns that the model uses, and of those it leaves out the ones that are there."""
    from robustae.data import as_mixed, match_columns
    from robustae.data.unreadable import slips_by

    if table.values.ndim > 2:
        raise InputError("the model was fitted on a table, and the data are images.")
    there = {*table.columns, *table.spare}
    names = [column.name for column in plan.columns if not column.why or column.name in there]
    table = match_columns(replace(table, values=as_mixed(table), named=True), names)
    return replace(table, slips=slips_by(plan, table.values, table.lines))


def _numbers_only(table: "Table") -> "Table":
    """Leave out the columns of a mixed table that are text, for a model that knows no names."""
    from robustae.data import match_columns

    text = [name for name, how in (table.values.spellings or {}).items() if how is None]
    if not text:
        return table
    return match_columns(replace(table, named=True), [name for name in table.columns if name not in text])


def dialect_like(like: Any, guard: bool) -> Any:
    """How CSV is written: as what was read, where that is given."""
    from robustae.data.dialect import Dialect

    return replace(like or Dialect(), guard=guard)
