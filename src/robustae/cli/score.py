"""robustae score: a number for each row, and which rows are anomalies."""

from pathlib import Path
from typing import Annotated, Any

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.utils.checks import InputError

LARGE = 2**28  # bytes in float64 from which a file is read in batches


def score(
    data: options.DataFiles,
    model: options.Model,
    out: Annotated[
        Path | None,
        options.option(
            "FILE", "--out", "-o", help="File for the scores, one line per row: .csv, .parquet or .npy."
        ),
    ] = None,
    label: options.Label = None,
    drop: options.Drop = None,
    json: options.Json = False,
) -> None:
    """Score every row of a table, and flag those that are anomalies.

    The file has the columns row (from 0 on), score (higher is more normal), flagged and probability
    (of an anomaly, calibrated on the clean rows of the fit). Several files, folders and large files
    are read in batches, in the memory of one batch; columns must then be numbers, truth values or dates.
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
    running.list_left_out(getattr(source, "dropped", {}), {})
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
