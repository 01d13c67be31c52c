"""Who finds anomalies among rows that were not in the fit, which had anomalies of the same kinds?

A method that knows its training rows only is fitted to both together, which its status records.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from robustae.lab.detection import ranking, ranking_summary
from robustae.lab.jobs import Job, Plan, Row
from robustae.lab.methods import Method, fitted, methods
from robustae.lab.sets import DataSet, drawn_data, pairs_of_halves

__all__ = ["KEY", "NAME", "jobs", "pictures", "summary"]

NAME = "inductive"
KEY = ("set", "draw", "method")
TOGETHER = "train + test together"


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set, draw and method."""
    for data in pairs_of_halves(plan.quick):
        for draw in plan.numbers(data.draws):
            for method in methods(plan.quick).values():
                key = {"set": data.name, "draw": draw, "method": method.name}
                yield Job(key, partial(_measured, data, method, plan.seed_of(draw)))


def _measured(source: DataSet, method: Method, seed: int) -> Row:
    fitted_rows, unseen = drawn_data(source.draw, seed)
    if method.inductive:
        model = fitted(method, fitted_rows.X, fitted_rows.image_shape, seed)
        return ranking(unseen.y, -model.score_samples(unseen.X), source.name)
    both = np.concatenate([fitted_rows.X, unseen.X])
    model = fitted(method, both, fitted_rows.image_shape, seed)
    anomaly = -model.score_samples(both)[len(fitted_rows.X) :]
    return {**ranking(unseen.y, anomaly, source.name), "status": TOGETHER}


def summary(rows: list[Row]) -> list[Row]:
    """Mean, deviation, chance level and RCAE's paired difference by set, method and measure."""
    return ranking_summary(rows)


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """Bars of AUPRC."""
    from robustae.lab.figures import bars

    return bars(folder, NAME, "auprc")
