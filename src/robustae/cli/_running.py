"""What commands have in common: reading rows and models, and saying what was found."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from robustae.utils.checks import InputError

if TYPE_CHECKING:
    from robustae.data import Table

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "MISUSED",
    "counted",
    "facts_of_fit",
    "fitted",
    "is_large",
    "line_of_fit",
    "list_left_out",
    "loaded",
    "percent",
    "place_for",
    "read",
    "rows_for",
    "short",
    "show",
    "show_left_out",
    "show_table",
    "without",
]

FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # exit codes


def without(data: Path, label: str | None, drop: Iterable[str] | None) -> "Table":
    """Read rows; the label is only left out, whatever its values."""
    from dataclasses import replace

    table = read(data, drop=[*([] if label is None else [label]), *(drop or [])])
    why = {label: "the label"} if label in table.dropped else {}
    return replace(table, dropped=table.dropped | why)


def read(data: Path, label: str | None = None, **options: Any) -> "Table":
    """Read rows, all of whose cells are finite or missing."""
    from robustae.data import read_table

    table = read_table(data, label, **options)
    if not table.mixed:
        _refuse_infinity(table)
    return table


def _refuse_infinity(table: "Table") -> None:
    import numpy as np

    where = np.argwhere(np.isinf(table.values))
    if len(where):
        row, column = where[0][:2]
        name = f"column {table.columns[column]!r} of " if table.columns else ""
        raise InputError(
            f"{name}row {row} (counted from 0) holds an infinity: empty that cell or leave the column out."
        )


def is_large(data: Sequence[Path], most: int) -> bool:
    """Whether rows are read in batches: several files, a folder, a pattern, or more than `most` bytes."""
    path = data[0]
    if len(data) > 1 or not path.is_file():
        return len(data) > 1 or path.is_dir() or any(sign in str(path) for sign in "*?[")
    from robustae.data.files import decoded_bytes

    return path.suffix.lower() != ".npz" and decoded_bytes(data) > most


def loaded(path: Path) -> Any:
    """Read a model."""
    from robustae import load

    return load(path)


def fitted(table: "Table", settings: Mapping[str, Any]) -> Any:
    """Fit a model to a table, which then knows the names of its columns."""
    import numpy as np

    from robustae import RobustAutoencoder

    if len(table.values) < 2:
        raise InputError("a model needs at least 2 rows, and the data have 1.")
    model = RobustAutoencoder(**settings).fit(table.values)
    if table.named and not table.mixed:
        setattr(model, "feature_names_in_", np.array(table.columns, dtype=object))  # noqa: B010
    return model


def rows_for(model: Any, table: "Table") -> "Table":
    """Return the table with the columns that the model was fitted on, in their order."""
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
    from dataclasses import replace

    from robustae.data import as_mixed, match_columns

    if table.values.ndim > 2:
        raise InputError("the model was fitted on a table, and the data are images.")
    there = {*table.columns, *table.spare}
    names = [column.name for column in plan.columns if not column.why or column.name in there]
    return match_columns(replace(table, values=as_mixed(table), named=True), names)


def _numbers_only(table: "Table") -> "Table":
    """Leave out the columns of a mixed table that are text, for a model that knows no names."""
    from robustae.data import match_columns

    text = [name for name, how in (table.values.spellings or {}).items() if how is None]
    return match_columns(table, [name for name in table.columns if name not in text]) if text else table


def facts_of_fit(model: Any) -> dict[str, Any]:
    """Facts of any fitted model."""
    return {
        "columns": model.n_features_in_,
        "status": model.status_,
        "objective": model.objective_,
        "predictor": model.predictor_name_ or type(model.predictor_).__name__,
        "lam": model.lam_,
        "hidden": model.hidden_,
    }


def line_of_fit(facts: Mapping[str, Any]) -> str:
    """Return those facts in a line."""
    widths = facts["hidden"] if isinstance(facts["hidden"], tuple) else (facts["hidden"],)
    return f"{facts['predictor']}, lam {facts['lam']:.4g}, hidden {' x '.join(map(str, widths))}"


def place_for(out: Path, data: Path, suffixes: Iterable[str] = (), folder: bool = False) -> None:
    """Refuse, before any work is done, what could not be written or would replace the data."""
    from robustae.utils.files import check_writable

    if out.exists() and data.exists() and out.samefile(data):
        raise InputError(f"writing {str(out)!r} would replace the data: choose another name.")
    if out.is_dir() and not folder:
        raise InputError(f"cannot write {str(out)!r}: it is a folder; name a file.")
    check_writable(out, suffixes)


def counted(count: int, noun: str) -> str:
    """Return how many there are: 1 row, 2 rows."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def percent(share: float) -> str:
    """Return a share as a percentage of three digits."""
    return f"{100 * share:.3g} %"


def short(value: float) -> str:
    """Return a number in five digits, or all of those before the point."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.5g}"


def show(facts: Mapping[str, Any], as_json: bool, lines: Iterable[str]) -> None:
    """Print the facts as JSON, or as lines."""
    if as_json:
        from robustae.utils.json import plain

        typer.echo(json.dumps(plain(facts, infinite=True), allow_nan=False, ensure_ascii=False))
    else:
        typer.echo("\n".join(lines))


def show_left_out(table: "Table") -> None:
    """List on standard error the columns and cells that were not used, with reasons."""
    list_left_out(table.dropped, table.slips)


def list_left_out(dropped: Mapping[str, str], slips: Mapping[str, str]) -> None:
    """Say the same of columns that are left out, and of cells taken as missing, each with its reason."""
    for heading, columns in (("Left out", dropped), ("Taken as missing", slips)):
        if columns:
            each = [f"{name} ({why})" for name, why in list(columns.items())[:8]]
            more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
            typer.echo(f"{heading}: {', '.join(each)}{more}.", err=True)


def show_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return lines with the cells under their titles; the first column to the left, others to the right."""
    cells = [list(titles), *map(list, rows)]
    widths = [max(len(row[j]) for row in cells) for j in range(len(titles))]
    return ["  ".join(_padded(row, widths)).rstrip() for row in cells]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if j else cell.ljust(width)
        for j, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
