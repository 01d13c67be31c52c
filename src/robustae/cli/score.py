"""robustae score and robustae split."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustae.cli import options, running
from robustae.utils.checks import InputError

if TYPE_CHECKING:
    from robustae.data import Table

__all__ = ["COMMANDS"]

LARGE = 2**28  # bytes in float64 from which a file is read in batches
WORST = 5  # cells named on the terminal
MOST_CELLS = 100_000  # in explain.csv: a film has millions
EXPLAIN = "explain.csv"
PARTS = ("reconstruction", "outliers", "repaired", "flags")


def score(
    data: options.DataFiles,
    model: options.Model,
    out: Annotated[
        Path | None, options.option("FILE", "--out", "-o", help="One line per row: .csv, .parquet or .npy.")
    ] = None,
    label: options.Label = None,
    drop: options.Drop = None,
    json: options.Json = False,
) -> None:
    """Score rows, and say which are anomalies.

    The file has the columns row (from 0 on), score (higher is more normal), flagged and probability
    (of an anomaly, calibrated on the clean rows of the fit). Several files, folders and large files
    are read in batches, in the memory of one; columns are then numbers, truth values or dates.
    """
    if out is not None:
        _place_for(out, data)
    left_out = [*([] if label is None else [label]), *(drop or [])]
    work = _in_batches if running.is_large(data, LARGE) else _in_memory
    facts = work(data, model, out, left_out) | {"out": out and str(out)}
    running.show(facts, json, _lines(facts, data[0].name if len(data) == 1 else f"{len(data)} files"))


def _place_for(out: Path, data: list[Path]) -> None:
    from robustae.data.writers import TABLE_SUFFIXES

    for path in data:
        running.place_for(out, path, TABLE_SUFFIXES)
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{str(out)!r} lies in the folder of the data: write the scores elsewhere.")


def _in_batches(data: list[Path], model: Path, out: Path | None, left_out: list[str]) -> dict[str, Any]:
    from robustae.data.files import files_of
    from robustae.estimators.scoring import source_for, summary
    from robustae.utils.progress import shown

    files = [file for path in data for file in files_of(path)]
    estimator = running.loaded(model)
    if len(files) == 1 and estimator.plan_ is not None:
        return _in_memory(files, model, out, left_out)
    source = source_for(estimator, files, left_out)
    running.say_left_out(getattr(source, "dropped", {}), {})
    with shown(about=getattr(source, "about_rows", None)) as progress:
        return summary(estimator, source, out, progress)


def _in_memory(data: list[Path], model: Path, out: Path | None, left_out: list[str]) -> dict[str, Any]:
    from robustae.data.writers import write_table
    from robustae.estimators.scoring import facts_of, score_columns

    table = running.read(data[0], drop=left_out)
    estimator = running.loaded(model)
    table = running.rows_for(estimator, table)
    running.show_left_out(table)
    columns = score_columns(estimator, table.values)
    if out is not None:
        write_table(out, columns)
    return facts_of(columns, len(columns["row"]), int(columns["flagged"].sum()), estimator)


def split(
    data: options.Data,
    model: options.Model,
    out: Annotated[Path, options.option("DIR", "--out", "-o", help="Folder for the parts.")],
    cut: Annotated[
        float, typer.Option("--cut", metavar="DEVIATIONS", min=0, help="A cell further off is flagged.")
    ] = 3.0,
    passes: Annotated[
        int,
        typer.Option(
            "--passes", metavar="TIMES", min=0, help="Rows with wrong cells encoded again; 1 repairs closer."
        ),
    ] = 0,
    label: options.Label = None,
    drop: options.Drop = None,
    json: options.Json = False,
) -> None:
    """Split rows into their normal part and outliers, by cell.

    The folder gets reconstruction, outliers, repaired (cells that are flagged or missing replaced)
    and flags, in the format of DATA, and explain.csv: the flagged cells, those farthest off first
    (100 000 at most; rows are counted from 0).

    A wrong cell has a say in its own repair; with --passes its row is encoded again without it.
    """
    from robustae.fit.mixed import missing_of
    from robustae.utils.files import replacing_folder

    running.place_for(out, data, folder=True)
    table = running.without(data, label, drop)
    with replacing_folder(out, _own_names()) as folder:
        estimator = running.loaded(model)
        table = running.rows_for(estimator, table)
        running.show_left_out(table)
        X, account = table.values, _account(estimator, table, cut)
        repaired = estimator.repaired(X, cut, passes)
        parts = (*estimator.split(X), repaired, estimator.flags(X, cut))
        names = _write_parts(folder, table, parts, account)
    facts = _cell_facts(parts[-1], missing_of(estimator, X)) | {"out": str(out), "files": names}
    running.show(facts, json, _cell_lines(facts, account, data))


def _write_parts(folder: Path, table: "Table", parts: tuple[Any, ...], account: dict[str, Any]) -> list[str]:
    from robustae.data.writers import write_table

    names = [part + table.suffix for part in PARTS]
    for name, values in zip(names, parts, strict=True):
        _write_part(folder / name, values, table)
    write_table(folder / EXPLAIN, account)
    return [*names, EXPLAIN]


def _write_part(path: Path, values: Any, table: "Table") -> None:
    """The parts of a mixed table are tables, but for the flags."""
    from robustae.data.writers import write_matrix, write_table

    if hasattr(values, "columns"):
        write_table(path, values.columns)
    elif table.mixed:
        write_table(path, dict(zip(table.columns, values.T, strict=True)))
    else:
        write_matrix(path, values, table.columns if table.named else None)


def _own_names() -> list[str]:
    """What a split may have written before, in any format: a folder of that is replaced."""
    from robustae.data import ENDINGS

    return [part + suffix for part in PARTS for suffix in ENDINGS] + [EXPLAIN]


def _lines(facts: dict[str, Any], name: str) -> list[str]:
    share = running.percent(facts["flagged"] / facts["rows"])
    rows = [
        (
            str(row["row"]),
            f"{row['score']:.5g}",
            f"{row['probability']:.3f}",
            "yes" if row["flagged"] else "no",
        )
        for row in facts["most_anomalous"]
    ]
    table = running.show_table(("row", "score", "probability", "flagged"), rows)
    return [
        f"{name}: {facts['flagged']} of {facts['rows']} rows flagged ({share}), "
        f"their score below {facts['threshold']:.5g}.",
        "The most anomalous:",
        *(f"  {line}" for line in table),
        *([f"Written to {facts['out']}."] if facts["out"] else []),
    ]


def _account(model: Any, table: "Table", cut: float) -> dict[str, Any]:
    """Return the flagged cells with their columns' names, or positions in the file."""
    account = {name: values[:MOST_CELLS] for name, values in model.explain(table.values, cut).items()}
    if not hasattr(model, "feature_names_in_") and table.columns:
        account["column"] = [table.columns[j] for j in account["column"]]
    return account


def _cell_facts(flags: Any, missing: Any) -> dict[str, Any]:
    found = {"cells_flagged": int(flags.sum()), "cells_missing": int(missing.sum())}
    return {"rows": len(flags), "cells": flags.size} | found


def _cell_lines(facts: dict[str, Any], account: dict[str, Any], data: Path) -> list[str]:
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
    return str(value) if value is None or isinstance(value, str) else running.short(float(value))


COMMANDS = (score, split)
