"""robustae score and robustae split."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robustae.cli import options, running

if TYPE_CHECKING:
    from robustae.sources import Table

__all__ = ["COMMANDS"]

WORST = 5  # rows and cells named on the terminal
MOST_CELLS = 100_000  # in explain.csv: a film has millions
EXPLAIN = "explain.csv"
PARTS = ("reconstruction", "outliers", "repaired", "flags")


def score(
    data: options.Data,
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
    (of an anomaly, calibrated on the clean rows of the fit).
    """
    from robustae.outputs import TABLE_SUFFIXES, write_table

    if out is not None:
        running.place_for(out, data, TABLE_SUFFIXES)
    table = running.without(data, label, drop)
    estimator = running.loaded(model)
    table = running.rows_for(estimator, table)
    running.show_left_out(table)
    columns = _scores(estimator, table.values)
    if out is not None:
        write_table(out, columns)
    facts = _facts(columns, float(estimator.offset_)) | {"out": out and str(out)}
    running.show(facts, json, _lines(facts, data))


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
    from robustae.outputs import replacing_folder
    from robustae.tables import missing_of

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
    from robustae.outputs import write_table

    names = [part + table.suffix for part in PARTS]
    for name, values in zip(names, parts, strict=True):
        _write_part(folder / name, values, table)
    write_table(folder / EXPLAIN, account)
    return [*names, EXPLAIN]


def _write_part(path: Path, values: Any, table: "Table") -> None:
    """The parts of a mixed table are tables, but for the flags."""
    from robustae.outputs import write_matrix, write_table

    if hasattr(values, "columns"):
        write_table(path, values.columns)
    elif table.mixed:
        write_table(path, dict(zip(table.columns, values.T, strict=True)))
    else:
        write_matrix(path, values, table.columns if table.named else None)


def _own_names() -> list[str]:
    """What a split may have written before, in any format: a folder of that is replaced."""
    from robustae.sources import ENDINGS

    return [part + suffix for part in PARTS for suffix in ENDINGS] + [EXPLAIN]


def _scores(model: Any, X: Any) -> dict[str, Any]:
    import numpy as np

    scores = model.score_samples(X)
    return {
        "row": np.arange(len(scores)),
        "score": scores,
        "flagged": scores < model.offset_,
        "probability": model.clean_part_.probability(-scores),
    }


def _facts(columns: dict[str, Any], threshold: float) -> dict[str, Any]:
    worst = columns["score"].argsort(kind="stable")[:WORST]
    return {
        "rows": len(columns["row"]),
        "flagged": int(columns["flagged"].sum()),
        "threshold": threshold,
        "most_anomalous": [{name: values[i].item() for name, values in columns.items()} for i in worst],
    }


def _lines(facts: dict[str, Any], data: Path) -> list[str]:
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
        f"{data.name}: {facts['flagged']} of {facts['rows']} rows flagged ({share}), "
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
