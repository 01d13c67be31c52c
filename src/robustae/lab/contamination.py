"""What do anomalies among the training rows cost? Fitted with 0, 5, 10 and 20 % of them, scored on others.

Half of the normal rows and half of the anomalies of a set are held out and ranked: the same rows for every
share. So are the normal rows of the fit; only how many anomalies are put among them differs.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from robustae.lab.jobs import Job, Plan, Row
from robustae.lab.ledger import read_csv
from robustae.lab.lines import lines
from robustae.lab.summaries import averaged, over_sets
from robustae.lab.table_detection import chance, ranked
from robustae.lab.table_methods import OURS, Detector, table_methods
from robustae.lab.table_sets import EMBEDDINGS, Split, TableSet, split, table_sets

__all__ = ["KEY", "NAME", "NOTE", "REFERENCE", "SHARES", "jobs", "pictures", "summary", "sweep_sets"]

NAME = "contamination"
KEY = ("set", "draw", "share", "method")
REFERENCE = OURS
DRAWS = 2
SHARES, QUICK_SHARES = (0.0, 0.05, 0.1, 0.2), (0.0, 0.2)
MEASURES = ("auroc", "auprc")
MEAN, LOSS = "mean over sets", "loss"
NOTE = (
    "share: of anomalies among the rows of the fit; loss: none minus the largest share. ± is over sets; "
    f"{OURS} - it: {OURS} minus the method by AUROC, with the ends of its 95 % bootstrap interval over sets."
)


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set, draw, share and method."""
    for source in sweep_sets(plan.quick):
        for draw in plan.numbers(DRAWS):
            for share in QUICK_SHARES if plan.quick else SHARES:
                for method in table_methods(plan.quick).values():
                    key = {"set": source.name, "draw": draw, "share": share, "method": method.name}
                    yield Job(key, partial(_measured, source, method, share, plan.seed_of(draw)))


def sweep_sets(quick: bool) -> list[TableSet]:
    """Return the tables; not the embeddings of images, which have more columns than rows to fit."""
    return [source for source in table_sets(quick) if source.group != EMBEDDINGS]


@lru_cache(maxsize=1)
def rows_of(source: TableSet, share: float, seed: int) -> Split:
    """Return a split, kept for the methods that come next."""
    return split(source, share, max(SHARES), seed)


def _measured(source: TableSet, method: Detector, share: float, seed: int) -> Row:
    rows = rows_of(source, share, seed)
    scores = method.fit(rows.fitted, seed)
    return {"rows": len(rows.fitted), **ranked(rows.y, scores.unseen(rows.unseen))}


def summary(rows: list[Row]) -> list[Row]:
    """Means over sets by share and method, and what is lost from no anomalies to the largest share."""
    rows = [row for row in rows if row.get("auroc") is not None]
    shares = sorted({row["share"] for row in rows})
    groups = {share: _by_set([row for row in rows if row["share"] == share]) for share in shares}
    found = [_at(share, over_sets(of, MEAN, MEASURES, chance, OURS)) for share, of in groups.items()]
    if len(shares) > 1:
        lost = _lost(groups[shares[0]], groups[shares[-1]])
        found.append(_at(LOSS, over_sets(lost, MEAN, MEASURES, reference=OURS)))
    return [entry for part in found for entry in part]


def _by_set(rows: list[Row]) -> list[Row]:
    return averaged(rows, ("chance", *MEASURES), "draw", ("set", "method"))


def _at(share: float | str, entries: list[Row]) -> list[Row]:
    return [{"set": entry["set"], "share": share, **entry} for entry in entries]


def _lost(first: list[Row], last: list[Row]) -> list[Row]:
    at_last = {(row["set"], row["method"]): row for row in last}
    both = [(row, at_last[key]) for row in first if (key := (row["set"], row["method"])) in at_last]
    return [{**row, **{name: row[name] - other[name] for name in MEASURES}} for row, other in both]


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """AUROC over the share of anomalies in the fit."""
    from robustae.lab.figures import place

    rows = read_csv(folder / f"{NAME}_summary.csv")
    rows = [row for row in rows if row["measure"] == "auroc" and row["share"] != LOSS]
    titles = ("share of anomalies in the fit", "AUROC")
    return [lines(place(folder, NAME, "auroc"), rows, "set", "share", titles, OURS)] if rows else []
