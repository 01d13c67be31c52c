"""Tables of the paper's experiments, from the CSV files that `robustae benchmark NAME` wrote.

``robustae benchmark NAME --out benchmarks/experiments`` measures; this only summarises.
"""

import re
from collections.abc import Callable, Iterable

from benchmarks.measuring import HERE, write
from robustae.lab import EXPERIMENTS, experiment, table_detection, video
from robustae.lab.jobs import Row
from robustae.lab.ledger import read_csv
from robustae.lab.sets import PAIRS
from robustae.lab.tables import ResultTable, tables

MEASURED = HERE / "experiments"


def run(runs: int) -> None:
    """Write the tables of each experiment that was measured (`runs` is not used)."""
    for name in EXPERIMENTS:
        path = MEASURED / f"{name}.csv"
        if path.exists():
            summary = experiment(name).summary(read_csv(path))
            _WRITERS.get(name, _blocks)(name, summary)


def _blocks(name: str, summary: list[Row]) -> None:
    for table in tables(summary):
        title = re.sub(r" \(\d+ draws?\)$", "", table.title)
        write(_slug(f"{name} {title}"), _lines(table))


def _lines(table: ResultTable) -> list[dict[str, str]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _detection(name: str, summary: list[Row]) -> None:
    """The pairs in one table, a column for each."""
    _blocks(name, [row for row in summary if row["set"] not in PAIRS])
    pairs = [row for row in summary if row["set"] in PAIRS and row["measure"] == "auprc"]
    _pivot(f"{name} pairs", pairs, lambda row: row["set"].removeprefix("USPS "))


def _denoising(name: str, summary: list[Row]) -> None:
    """PSNR, a column for each corruption."""
    psnr = [row for row in summary if row["measure"] == "psnr"]
    for images in dict.fromkeys(row["set"] for row in psnr):
        of = [row for row in psnr if row["set"] == images]
        _pivot(f"{name} {images}", of, lambda row: f"{row['kind']} {row['share']}")


def _subtle(name: str, summary: list[Row]) -> None:
    """AUPRC, a column for each size; and the false alarms, a column for each set."""
    for of in dict.fromkeys(row["set"] for row in summary):
        found = [row for row in summary if row["set"] == of and row["measure"] == "auprc"]
        _pivot(f"{name} {of}", found, lambda row: f"size {row['size']}")
    alarms = [row for row in summary if row["measure"] == "false_alarms"]
    _pivot(f"{name} false alarms", alarms, lambda row: row["set"])


def _lambda(name: str, summary: list[Row]) -> None:
    """Both grids together: lam and width."""
    _blocks(name, [row for row in summary if row["grid"] == "both"])


def _video(name: str, summary: list[Row]) -> None:
    """The means in one table, and AUPRC with a column for each film."""
    means = tables([row for row in summary if row["set"] == video.MEAN], video.REFERENCE)
    for table in means:
        write(_slug(f"{name} {video.MEAN}"), _lines(table))
    films = [row for row in summary if row["set"] != video.MEAN and row["measure"] == "auprc"]
    _pivot(f"{name} films", films, lambda row: row["set"])


def _video_kinds(name: str, summary: list[Row]) -> None:
    """AUPRC and F1 of the method's own mask, a column for each kind."""
    for measure in ("auprc", "f1"):
        _pivot(
            f"{name} {measure}", [row for row in summary if row["measure"] == measure], lambda row: row["set"]
        )


def _tables(name: str, summary: list[Row]) -> None:
    """The means of each group, and AUPRC and AUROC with a line for each set."""
    means = [row for row in summary if row["set"].startswith(table_detection.MEAN[:-2])]
    for table in tables(means, table_detection.REFERENCE):
        write(_slug(f"{name} {table.title.partition(': ')[2].partition(' (')[0]}"), _lines(table))
    for measure in ("auprc", "auroc"):
        sets = [row for row in summary if row["measure"] == measure and row not in means]
        _pivot(f"{name} by set {measure}", sets, lambda row: row["method"], "set")


def _by_share(name: str, summary: list[Row]) -> None:
    """A table for each measure, a column for each share of anomalies in the fit."""
    for measure in dict.fromkeys(row["measure"] for row in summary):
        of = [row for row in summary if row["measure"] == measure]
        _pivot(f"{name} {measure}", of, lambda row: _percent(row["share"]))


def _percent(share: float | str) -> str:
    return share if isinstance(share, str) else f"{share:.0%}"


def _cells(name: str, summary: list[Row]) -> None:
    """F1 and AUPRC, a column for each share and size; the differences in F1 to ours with their intervals."""
    for measure in ("f1", "auprc"):
        of = [row for row in summary if row["measure"] == measure]
        _pivot(f"{name} planted {measure}", of, _planting)
    _pivot(
        f"{name} planted difference",
        [row for row in summary if row["measure"] == "f1"],
        _planting,
        cell=_ends,
    )


def _planting(row: Row) -> str:
    return f"{_percent(row['share'])}, size {row['size']:g}"


def _ends(row: Row) -> str:
    """The difference to ours, with the ends of its interval."""
    if row["difference"] is None or row["low"] is None:
        return ""
    return f"{row['difference']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"


def _named_cells(name: str, summary: list[Row]) -> None:
    """The share flagged of the cells named and of the others, a line for each set."""
    methods = list(dict.fromkeys(row["method"] for row in summary))
    ordered = sorted(summary, key=lambda row: methods.index(row["method"]))
    _pivot(name, ordered, lambda row: f"{row['method']}, {row['measure']}", "set")


def _mean(row: Row) -> str:
    return f"{row['mean']:.3g}"


def _pivot(
    title: str,
    rows: Iterable[Row],
    column: Callable[[Row], str],
    line: str = "method",
    cell: Callable[[Row], str] = _mean,
) -> None:
    """A line for each value of `line`, and a column for each of `column(row)`."""
    cells = {(row[line], column(row)): cell(row) for row in rows}
    names, columns = (list(dict.fromkeys(key[side] for key in cells)) for side in (0, 1))
    lines = [{line: name} | {c: cells.get((name, c), "") for c in columns} for name in names]
    if lines:
        write(_slug(title), lines)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


_WRITERS = {
    "detection": _detection,
    "denoising": _denoising,
    "subtle": _subtle,
    "lambda": _lambda,
    "video": _video,
    "video-kinds": _video_kinds,
    "tables": _tables,
    "contamination": _by_share,
    "thresholds": _by_share,
    "cells": _cells,
    "named-cells": _named_cells,
}
