"""How good is a threshold that is not given the share of anomalies? All rules on the same scores: RAE's.

Fitted to clean rows, 5, 10 and 20 % of anomalies among them (as in the experiment contamination), or to all
rows of a set. False alarms are the share of normal rows above the threshold, F1 that of the rows above it,
beside the best F1 that any threshold on the same scores has: of rows that were held out, or for "all rows"
of those of the fit.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from robustae.lab import contamination
from robustae.lab.contamination import SHARES, rows_of, sweep_sets
from robustae.lab.jobs import Job, Plan, Row
from robustae.lab.summaries import averaged, over_sets
from robustae.lab.table_methods import OURS, Scores, table_methods
from robustae.lab.table_sets import TableSet, loaded
from robustae.lab.threshold_rules import rules
from robustae.metrics import best_f1

__all__ = ["KEY", "NAME", "NOTE", "REFERENCE", "jobs", "pictures", "summary"]

NAME = "thresholds"
KEY = ("set", "draw", "share", "method")
REFERENCE = AUTO = "auto"
ALL_ROWS = "all rows"
MEASURES = ("f1", "of_best", "false_alarms")
NOTE = (
    f"share: of anomalies among the rows of the fit. Scores are {OURS}'s; {AUTO}: contamination='auto'. "
    "of best: F1 over the best F1 of a threshold on the same scores. "
    f"{AUTO} - it: {AUTO} minus the rule by F1, with the ends of its 95 % bootstrap interval over sets."
)


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set, draw, share and rule."""
    for source in sweep_sets(plan.quick):
        for draw in plan.numbers(contamination.DRAWS):
            for share in (0.0, ALL_ROWS) if plan.quick else (*SHARES, ALL_ROWS):
                for rule in (AUTO, *rules()):
                    key = {"set": source.name, "draw": draw, "share": share, "method": rule}
                    yield Job(key, partial(_measured, source, share, rule, plan.quick, plan.seed_of(draw)))


@lru_cache(maxsize=1)
def _scored(source: TableSet, share: Any, quick: bool, seed: int) -> tuple[Scores, np.ndarray, np.ndarray]:
    """Scores of a fit, and labels and scores of the rows to be called; kept for the rules that come next."""
    method = table_methods(quick)[OURS]
    if share == ALL_ROWS:
        X, y = loaded(source, seed)
        found = method.fit(X, seed)
        return found, y, found.fitted
    rows = rows_of(source, share, seed)
    found = method.fit(rows.fitted, seed)
    return found, rows.y, found.unseen(rows.unseen)


def _measured(source: TableSet, share: Any, rule: str, quick: bool, seed: int) -> Row:
    found, y, anomaly = _scored(source, share, quick, seed)
    own = found.model if rule == AUTO else None
    limit = rules()[rule](found.fitted) if own is None else -own.offset_
    called = anomaly > limit
    f1 = float(2 * called[y == 1].sum() / max(called.sum() + y.sum(), 1))
    best = best_f1(y, anomaly)
    alarms = float(called[y == 0].mean())
    return {
        "chance": float(y.mean()),
        "false_alarms": alarms,
        "f1": f1,
        "best_f1": best,
        "of_best": f1 / best,
    }


def summary(rows: list[Row]) -> list[Row]:
    """Means over sets by share and rule."""
    rows = [row for row in rows if row.get("f1") is not None]
    return [
        {"set": entry["set"], "share": share, **entry}
        for share in dict.fromkeys(row["share"] for row in rows)
        for entry in over_sets(_by_set(rows, share), contamination.MEAN, MEASURES, _chance, AUTO)
    ]


def _by_set(rows: list[Row], share: Any) -> list[Row]:
    of = [row for row in rows if row["share"] == share]
    return averaged(of, ("chance", *MEASURES), "draw", ("set", "method"))


def _chance(measure: str, rows: Sequence[Row]) -> float | None:
    """For F1: call everything."""
    share = float(np.mean([row["chance"] for row in rows]))
    return {"f1": 2 * share / (1 + share)}.get(measure)


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """None: the table shows it."""
    return []
