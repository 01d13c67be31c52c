"""Who finds the anomalies among the rows it was fitted to, and who sees the background of a film?

AUPRC, AUROC, P@10 and the best F1 where anomalies are known; else the mean absolute difference, in grey
levels, of the reconstruction to the known or estimated background.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robustae.lab.jobs import Cannot, Job, Plan, Row
from robustae.lab.methods import Method, fitted, methods
from robustae.lab.sets import CIFAR, PAIRS, DataSet, drawn_data, labelled, scenes
from robustae.lab.summaries import averaged, summarised
from robustae.metrics import auprc, auroc, best_f1, precision_at

if TYPE_CHECKING:
    from robustae.estimators.autoencoder import RobustAutoencoder


__all__ = ["KEY", "NAME", "chance", "jobs", "pictures", "ranking", "ranking_summary", "summary"]

NAME = "detection"
KEY = ("set", "draw", "method")
RANKING = ("auprc", "auroc", "p_at_10", "best_f1", "auprc_dogs")
AVERAGED = ("chance", "auprc", "auroc", "p_at_10", "best_f1")
BACKGROUND = "background_error"


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set, draw and method."""
    for data in (*labelled(plan.quick), *scenes(plan.quick)):
        for draw in plan.numbers(data.draws):
            for method in methods(plan.quick).values():
                key = {"set": data.name, "draw": draw, "method": method.name}
                yield Job(key, partial(_measured, data, method, plan.seed_of(draw)))


def _measured(source: DataSet, method: Method, seed: int) -> Row:
    data = drawn_data(source.draw, seed)
    model = fitted(method, data.X, data.image_shape, seed)
    if data.y is None:
        return _background(model, data)
    return ranking(data.y, -model.score_samples(data.X), source.name)


def ranking(y: np.ndarray, anomaly: np.ndarray, name: str) -> Row:
    """Measure a ranking of rows, higher being more anomalous; `chance` is the share of anomalies."""
    found = {
        "chance": float(y.mean()),
        "auprc": auprc(y, anomaly),
        "auroc": auroc(y, anomaly),
        "p_at_10": precision_at(y, anomaly, min(10, len(y))),
        "best_f1": best_f1(y, anomaly),
    }
    # As the paper's authors' script counts: the many dogs as what is to be found.
    return found | ({"auprc_dogs": auprc(1 - y, -anomaly)} if name == CIFAR else {})


def _background(model: "RobustAutoencoder", data: Any) -> Row:
    """`chance` is the error of the mean frame, which takes no method at all."""
    if not hasattr(model, "reconstruct"):
        raise Cannot("has no reconstruction")
    naive = 255 * float(np.abs(data.X.mean(axis=0) - data.clean).mean())
    error = 255 * float(np.abs(np.asarray(model.reconstruct(data.X)) - data.clean).mean())
    return {"chance": naive, BACKGROUND: error}


def chance(measure: str, rows: Sequence[Row]) -> float | None:
    """Return what a ranking by chance has, from rows whose `chance` is the share of anomalies."""
    share = float(np.mean([row["chance"] for row in rows if row.get("chance") is not None]))
    # For F1: flag everything, the best that can be had without looking.
    others = {"auroc": 0.5, "best_f1": 2 * share / (1 + share), "auprc_dogs": 1 - share}
    return others.get(measure, share)


def ranking_summary(rows: list[Row]) -> list[Row]:
    """Summarise by set, and over the ten pairs: as means by draw, and with the pairs as what is drawn."""
    return summarised([*rows, *_ten_pairs(rows)], ("set",), RANKING, chance)


def _ten_pairs(rows: list[Row]) -> Iterator[Row]:
    pairs = [row for row in rows if row["set"] in PAIRS and row.get("auprc") is not None]
    if {row["set"] for row in pairs} != set(PAIRS):
        return
    for row in averaged(pairs, AVERAGED, "set", ("draw", "method")):
        yield {**row, "set": "ten pairs, over draws"}
    for row in averaged(pairs, AVERAGED, "draw", ("set", "method")):
        yield {**row, "set": "ten pairs, over pairs", "draw": row["set"]}


def summary(rows: list[Row]) -> list[Row]:
    """Mean, deviation, chance level and RCAE's paired difference by set, method and measure."""
    return [*ranking_summary(rows), *summarised(rows, ("set",), (BACKGROUND,), chance)]


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """Bars of AUPRC; original, reconstruction and N of RCAE's worst rows; people alone."""
    from robustae.lab.figures import bars, films, worst_rows

    return [
        *bars(folder, NAME, "auprc"),
        *worst_rows(folder, NAME, labelled(plan.quick), plan),
        *films(folder, NAME, scenes(plan.quick), plan),
    ]
