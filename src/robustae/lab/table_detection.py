"""Who finds the anomalous rows of a table? ADBench's protocol (Han et al. 2022), unsupervised.

Every method is fitted to all rows of a set (at most 10 000, drawn anew for each draw) without labels and
ranks them. AUROC, AUPRC (average precision) and seconds of fit and scores, on one thread. Sets that are cut,
and methods that are random, have as many draws as asked for, each with a seed of its own; the others one.
"""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from robustae.lab.jobs import Job, Plan, Row
from robustae.lab.summaries import averaged, over_sets, summarised
from robustae.lab.table_methods import OURS, Detector, table_methods
from robustae.lab.table_sets import TableSet, loaded, table_sets
from robustae.metrics import auprc, auroc

__all__ = ["KEY", "NAME", "NOTE", "REFERENCE", "chance", "jobs", "pictures", "ranked", "summary"]

NAME = "tables"
KEY = ("set", "draw", "method")
REFERENCE = OURS
DRAWS = 3
MEAN = "mean over sets: {}"
MEASURES = ("auprc", "auroc", "seconds")
NOTE = (
    f"{OURS}: RobustAutoencoder at its defaults. {OURS} - it: {OURS} minus the method by AUPRC; in the means "
    "with the ends of its 95 % bootstrap interval over sets, and ± over sets; else over draws."
)


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set, draw and method; a single draw where the seed matters neither for rows nor method."""
    for source in table_sets(plan.quick):
        for draw in plan.numbers(DRAWS):
            for method in table_methods(plan.quick).values():
                if draw == 0 or method.random or source.cut:
                    key = {"set": source.name, "draw": draw, "method": method.name}
                    yield Job(key, partial(_measured, source, method, plan, draw))


def _measured(source: TableSet, method: Detector, plan: Plan, draw: int) -> Row:
    X, y = loaded(source, plan.seed_of(draw))
    _warm(method.name, plan.quick)
    begin = time.perf_counter()
    scores = method.fit(X, plan.seed_of(draw))
    seconds = time.perf_counter() - begin
    return {"group": source.group, **ranked(y, scores.fitted), "seconds": round(seconds, 4)}


@lru_cache
def _warm(name: str, quick: bool) -> None:
    """Let a method import what it needs, before it is timed."""
    table_methods(quick)[name].fit(np.random.default_rng(0).normal(size=(64, 4)), 0)


def ranked(y: np.ndarray, anomaly: np.ndarray) -> Row:
    """Measure a ranking of rows, higher being more anomalous; `chance` is the share of anomalies."""
    return {"chance": float(y.mean()), "auprc": auprc(y, anomaly), "auroc": auroc(y, anomaly)}


def chance(measure: str, rows: Sequence[Row]) -> float | None:
    """Return what a ranking by chance has."""
    share = float(np.mean([row["chance"] for row in rows]))
    return {"auprc": share, "auroc": 0.5}.get(measure)


def summary(rows: list[Row]) -> list[Row]:
    """Means over the sets of each group, then each set, by method."""
    rows = [row for row in rows if row.get("auprc") is not None]
    groups = dict.fromkeys(row["group"] for row in rows)
    means = [entry for group in groups for entry in _mean([row for row in rows if row["group"] == group])]
    return [*means, *summarised(rows, ("set",), MEASURES, chance, OURS)]


def _mean(rows: list[Row]) -> list[Row]:
    """Each set counts once, however many draws it has."""
    each = averaged(rows, ("chance", *MEASURES), "group", ("set", "method"))
    return over_sets(each, MEAN.format(rows[0]["group"]), MEASURES, chance, OURS)


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """Bars of AUPRC, of the means only."""
    from robustae.lab.figures import bars

    return bars(folder, NAME, "auprc", OURS, MEAN[:-2])
