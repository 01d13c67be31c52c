"""robustae score: a number for each row, and which rows are anomalies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from robustae.cli import _options as options
from robustae.cli import _reading as reading
from robustae.cli import _running as running
from robustae.utils.checks import InputError

if TYPE_CHECKING:
    from robustae.data import Table
    from robustae.estimators.autoencoder import RobustAutoencoder

LARGE = 2**28  # bytes in float64 from which a file is read in batches


@options.takes(how=reading.file_options)
def score(
    data: options.DataFiles,
    model: options.Model,
    out: Annotated[
        Path | None,
        options.option(
            "FILE",
            "--out",
            "-o",
            help="File for the scores, one line per row: .csv, .jsonl, .parquet or .npy.",
        ),
    ] = None,
    label: options.Label = None,
    drop: options.Drop = None,
    guard: options.Guard = True,
    *,
    how: Any,
    json: options.Json = False,
) -> None:
    """Score every row of a table, and flag those that are anomalies.

    The file has the columns row (from 0 on), line (of a text file, the first being 1), the identifier (that
    of --id, or what was recognised as one), score (higher is more normal), flagged and probability (of an
    anomaly, calibrated on the clean rows of the fit). Large data are read in batches, in the memory of one
    batch, and scored without line and identifier.
    """
    if out is not None:
        _place_for(out, [*data, model])
    left_out = [*([] if label is None else [label]), *(drop or [])]
    estimator = running.loaded(model)
    work = _in_memory if reading.small(data, LARGE) else _in_batches
    facts = work(data, estimator, out, left_out, how, guard) | {"out": out and str(out)}
    running.show(facts, json, _lines(facts, running.name_of(data)))


def _place_for(out: Path, data: list[Path]) -> None:
    from robustae.data.writers import TABLE_SUFFIXES

    for path in data:
        running.place_for(out, path, TABLE_SUFFIXES)
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{str(out)!r} lies in the folder of the data: write the scores elsewhere.")


def _in_batches(
    data: list[Path], estimator: "RobustAutoencoder", out: Path | None, left_out: list[str], how: Any, _: bool
) -> dict[str, Any]:
    from robustae.data.files import files_of
    from robustae.estimators.scoring import source_for, summary
    from robustae.utils.progress import shown

    files = [file for path in data for file in files_of(path)]
    source = source_for(estimator, files, left_out, how)
    running.list_left_out(getattr(source, "dropped", {}), {})
    with shown(about=getattr(source, "about_rows", None)) as progress:
        return summary(estimator, source, out, progress)


def _in_memory(
    data: list[Path],
    estimator: "RobustAutoencoder",
    out: Path | None,
    left_out: list[str],
    how: Any,
    guard: bool,
) -> dict[str, Any]:
    from robustae.data.writers import write_table
    from robustae.estimators.scoring import facts_of, score_columns

    whole = reading.read(data, drop=left_out, how=how, model=estimator)
    table = reading.rows_for(estimator, whole)
    running.show_left_out(table)
    columns = score_columns(estimator, table.values)
    facts = facts_of(columns, len(columns["row"]), int(columns["flagged"].sum()), estimator)
    if out is not None:
        places = _places(whole, estimator, len(data) == 1 and data[0].is_file())
        named = {"row": columns.pop("row"), **places, **columns}
        write_table(out, named, reading.dialect_like(None, guard))
    return facts


def _places(table: "Table", model: "RobustAutoencoder", lines: bool) -> dict[str, Any]:
    """What tells the rows of a file apart: its lines, and the columns that name them."""
    from robustae.estimators.scoring import identifiers_of

    found = {"line": table.lines} if lines and table.lines is not None else {}
    return found | identifiers_of(table, model)


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
