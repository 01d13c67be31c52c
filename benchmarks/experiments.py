"""Tables of the paper's experiments, from the CSV files that `robustae benchmark NAME` wrote.

``robustae benchmark NAME --out benchmarks/experiments`` measures; this only summarises.
"""

import re
from collections.abc import Callable, Iterable

from benchmarks.measuring import HERE, write
from robustae.benchmark import EXPERIMENTS, experiment
from robustae.benchmark.jobs import Row
from robustae.benchmark.ledger import read_csv
from robustae.benchmark.sets import PAIRS
from robustae.benchmark.tables import Table, tables

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


def _lines(table: Table) -> list[dict[str, str]]:
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


def _pivot(title: str, rows: Iterable[Row], column: Callable[[Row], str]) -> None:
    cells = {(row["method"], column(row)): f"{row['mean']:.3g}" for row in rows}
    methods, columns = (list(dict.fromkeys(key[side] for key in cells)) for side in (0, 1))
    lines = [{"method": m} | {c: cells.get((m, c), "") for c in columns} for m in methods]
    if lines:
        write(_slug(title), lines)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


_WRITERS = {"detection": _detection, "denoising": _denoising, "subtle": _subtle, "lambda": _lambda}
