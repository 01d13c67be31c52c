"""robustae split: rows into what is normal in them and what is not."""

from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.cli import _reading as reading
from robustae.cli import _running as running

if TYPE_CHECKING:
    from robustae.data import Table
    from robustae.estimators.autoencoder import RobustAutoencoder

WORST = 5  # cells named on the terminal
MOST_CELLS = 100_000  # in explain.csv: a film has millions
EXPLAIN = "explain.csv"
ESTIMATED = ("outlier_part", "deviations", "share", "neighbours")
PARTS = ("reconstruction", "outliers", "repaired", "flags")


@options.takes(how=reading.file_options)
def split(
    data: options.Data,
    model: options.Model,
    out: Annotated[Path, options.option("DIR", "--out", "-o", help="Folder to write the parts to.")],
    cut: Annotated[
        float,
        typer.Option(
            "--cut",
            metavar="DEVIATIONS",
            min=0,
            help="Flag cells that are further than this from what is expected, in noise deviations.",
        ),
    ] = 3.0,
    passes: Annotated[
        int,
        typer.Option(
            "--passes",
            metavar="TIMES",
            min=0,
            help="How often rows with flagged cells are predicted again without these cells.",
        ),
    ] = 0,
    label: options.Label = None,
    drop: options.Drop = None,
    guard: options.Guard = True,
    *,
    how: Any,
    json: options.Json = False,
) -> None:
    """Split every row into a normal part and outliers, and repair its flagged cells.

    The folder gets reconstruction, outliers, repaired (cells that are flagged or missing replaced; cells
    that cannot be read stay as they are) and flags, in the format of DATA and written as it is, and
    explain.csv: the flagged cells, those farthest off first (100 000 at most; rows are counted from 0).

    A wrong cell affects its own repair; with --passes 1 its row is predicted again without it.
    """
    from robustae.fit.mixed import missing_of
    from robustae.utils.files import replacing_folder

    running.place_for(out, data, folder=True)
    estimator = running.loaded(model)
    table = reading.without(data, label, drop, how=how, model=estimator)
    with replacing_folder(out, _own_names()) as folder:
        table = reading.rows_for(estimator, table)
        running.show_left_out(table)
        table = replace(table, dialect=reading.dialect_like(table.dialect, guard))
        X, account = table.values, _account(estimator, table, cut)
        repaired = estimator.repaired(X, cut, passes)
        parts = (*estimator.split(X), repaired, estimator.flags(X, cut))
        names = _write_parts(folder, table, parts, account)
    facts = _facts(parts[-1], missing_of(estimator, X)) | {"out": str(out), "files": names}
    running.show(facts, json, _lines(facts, account, data))


def _write_parts(folder: Path, table: "Table", parts: tuple[Any, ...], account: dict[str, Any]) -> list[str]:
    from robustae.data.writers import write_table

    names = [part + table.suffix for part in PARTS]
    for name, values in zip(names, parts, strict=True):
        _write_part(folder / name, values, table)
    dialect = reading.dialect_like(None, table.dialect is None or table.dialect.guard)
    write_table(folder / EXPLAIN, _with_lines(_rounded(account), table), dialect)
    return [*names, EXPLAIN]


def _write_part(path: Path, values: Any, table: "Table") -> None:
    """The parts of a mixed table are tables, but for the flags."""
    from robustae.data.writers import write_matrix, write_table

    if hasattr(values, "columns"):
        write_table(path, values.columns, table.dialect)
    elif table.mixed:
        write_table(path, dict(zip(table.columns, values.T, strict=True)), table.dialect)
    else:
        write_matrix(path, values, table.columns if table.named else None, table.dialect)


def _rounded(account: dict[str, Any]) -> dict[str, Any]:
    """What is estimated, in six digits."""
    rounded = {name: [float(f"{value:.6g}") for value in account[name]] for name in ESTIMATED}
    return account | rounded


def _with_lines(account: dict[str, Any], table: "Table") -> dict[str, Any]:
    """Flagged cells with the lines of the file that their rows stand in."""
    if table.lines is None:
        return account
    return {"row": account["row"], "line": table.lines[account["row"]]} | account


def _own_names() -> list[str]:
    """What a split may have written before, in any format: a folder of that is replaced."""
    from robustae.data.writers import MATRIX_SUFFIXES

    return [part + suffix for part in PARTS for suffix in MATRIX_SUFFIXES] + [EXPLAIN]


def _account(model: "RobustAutoencoder", table: "Table", cut: float) -> dict[str, Any]:
    """Return the flagged cells with their columns' names, or positions in the file."""
    account = {name: values[:MOST_CELLS] for name, values in model.explain(table.values, cut).items()}
    if not hasattr(model, "feature_names_in_") and table.columns:
        account["column"] = [table.columns[j] for j in account["column"]]
    return account


def _facts(flags: Any, missing: Any) -> dict[str, Any]:
    found = {"cells_flagged": int(flags.sum()), "cells_missing": int(missing.sum())}
    return {"rows": len(flags), "cells": flags.size} | found


def _lines(facts: dict[str, Any], account: dict[str, Any], data: Path) -> list[str]:
    head = list(
        zip(*(account[name][:WORST] for name in ("row", "column", "observed", "expected")), strict=True)
    )
    rows = [(str(row), str(column), *map(_shown, values)) for row, column, *values in head]
    share = running.percent(facts["cells_flagged"] / facts["cells"])
    return [
        f"{data.name}: {facts['cells_flagged']} of {facts['cells']} cells flagged ({share}), "
        f"{facts['cells_missing']} missing.",
        *(
            f"  {line}"
            for line in running.show_table(("row", "column", "observed", "expected"), rows)
            if rows
        ),
        f"Written to {facts['out']}: {', '.join(facts['files'])}.",
    ]


def _shown(value: Any) -> str:
    return running.short(float(value)) if isinstance(value, Real) else str(value)
