"""Which cells of a table are wrong? Cells planted in clean tables, by their share and size.

A cell is moved up or down by 3, 5 or 10 robust deviations of its column. F1 of the cells flagged, and AUPRC
of the ranking of all cells by the size of their deviation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from pathlib import Path

import numpy as np

from robustae.datasets.synthetic import with_wrong_cells
from robustae.lab.cell_methods import OURS, cell_methods
from robustae.lab.clean_tables import CleanTable, clean_tables
from robustae.lab.jobs import Job, Plan, Row
from robustae.lab.ledger import read_csv
from robustae.lab.lines import lines
from robustae.lab.summaries import averaged, over_sets
from robustae.metrics import auprc

__all__ = ["KEY", "NAME", "NOTE", "REFERENCE", "jobs", "pictures", "summary"]

NAME = "cells"
KEY = ("set", "draw", "share", "size", "method")
REFERENCE = OURS
DRAWS = 3
SHARES, SIZES = (0.05, 0.1, 0.2), (3.0, 5.0, 10.0)
QUICK = ((0.1,), (5.0,))
MEASURES = ("f1", "auprc", "precision", "recall")
MEAN = "mean over tables"
NOTE = (
    "share: of cells moved; size: by how many robust deviations of their column. ± is over tables; "
    f"{OURS} - it: {OURS} minus the method by F1, with the ends of its 95 % bootstrap interval over tables."
)


@dataclass(frozen=True)
class _Planting:
    table: CleanTable
    share: float
    size: float
    seed: int


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each table, draw, share, size and method."""
    shares, sizes = QUICK if plan.quick else (SHARES, SIZES)
    draws = plan.numbers(1 if plan.quick else DRAWS)
    for table, draw, share, size in product(clean_tables(plan.quick), draws, shares, sizes):
        planting = _Planting(table, share, size, plan.seed_of(draw))
        for method in cell_methods(plan.quick):
            key = {"set": table.name, "draw": draw, "share": share, "size": size, "method": method}
            yield Job(key, partial(_measured, planting, method, plan.quick))


@lru_cache(maxsize=1)
def _planted(planting: _Planting) -> tuple[np.ndarray, np.ndarray]:
    """The table and where it is wrong; kept for the methods that come next."""
    clean = planting.table.rows(planting.seed)
    return with_wrong_cells(clean, planting.share, planting.size, planting.seed)


def _measured(planting: _Planting, method: str, quick: bool) -> Row:
    X, wrong = _planted(planting)
    found = cell_methods(quick)[method](X.copy(), planting.seed)
    right = int((found.flags & wrong).sum())
    return {
        "chance": float(wrong.mean()),
        "f1": 2 * right / max(int(found.flags.sum() + wrong.sum()), 1),
        "auprc": auprc(wrong.ravel().astype(int), np.abs(found.deviations).ravel()),
        "precision": right / max(int(found.flags.sum()), 1),
        "recall": right / int(wrong.sum()),
    }


def summary(rows: list[Row]) -> list[Row]:
    """Means over tables, by share, size and method."""
    rows = [row for row in rows if row.get("f1") is not None]
    return [
        {"set": entry["set"], "share": share, "size": size, **entry}
        for share, size in dict.fromkeys((row["share"], row["size"]) for row in rows)
        for entry in over_sets(_by_table(rows, share, size), MEAN, MEASURES, _chance, OURS)
    ]


def _by_table(rows: list[Row], share: float, size: float) -> list[Row]:
    of = [row for row in rows if (row["share"], row["size"]) == (share, size)]
    return averaged(of, ("chance", *MEASURES), "draw", ("set", "method"))


def _chance(measure: str, rows: Sequence[Row]) -> float | None:
    """What a ranking by chance has, and for F1 flags everywhere."""
    share = float(np.mean([row["chance"] for row in rows]))
    return {"auprc": share, "precision": share, "f1": 2 * share / (1 + share)}.get(measure)


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """F1 over the size of the wrong cells, a panel for each share."""
    from robustae.lab.figures import place

    rows = [row for row in read_csv(folder / f"{NAME}_summary.csv") if row["measure"] == "f1"]
    titles = ("size (robust deviations of the column)", "F1")
    return [lines(place(folder, NAME, "f1"), rows, "share", "size", titles, OURS)] if rows else []
