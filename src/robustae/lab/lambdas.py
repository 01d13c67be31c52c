"""How near the automatic lam and width come to the best of a grid, chosen with the labels: the oracle.

The lams are multiples of the automatic lam_. The automatic setting is one of the grid, so a ratio
automatic / oracle never exceeds 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from robustae.lab.jobs import Job, Plan, Row
from robustae.lab.methods import OURS, autoencoder, quick_settings
from robustae.lab.sets import DataSet, drawn_data, few_rows
from robustae.lab.summaries import interval
from robustae.metrics import auprc

__all__ = ["KEY", "NAME", "jobs", "pictures", "summary"]

NAME = "lambda"
KEY = ("set", "draw", "method", "grid", "setting")
PREDICTORS = {"linear": "linear", "RAE": "sigmoid", OURS: "conv"}
AUTO = "auto"
FACTORS = (*(2.0**power for power in range(-4, 5)), float("inf"))
WIDTHS = (1, 2, 4, 8, 16, 32)
QUICK = {"lam": (0.25, float("inf")), "width": (8,)}
NOTE = (
    "oracle: the setting that has the best mean AUPRC by the labels, from the grid or automatic; difference: "
    "automatic minus oracle, with the ends of its paired 95 % t interval over draws (last lines: "
    "of the ratio, less 1, over sets)."
)
GRIDS = {"lam": ("lam",), "width": ("width",), "both": ("lam", "width")}


@dataclass(frozen=True)
class _Case:
    """What all settings of a grid have in common."""

    source: DataSet
    method: str
    seed: int
    quick: bool

    def measure(self, **settings: Any) -> Row:
        data = drawn_data(self.source.draw, self.seed)
        settings = quick_settings(self.quick) | settings
        estimator = autoencoder(data.image_shape, self.seed, predictor=PREDICTORS[self.method], **settings)
        model = estimator.fit(data.X)
        value = auprc(data.y, -model.score_samples(data.X))
        chance = float(data.y.mean())
        return {"chance": chance, "lam": model.lam_, "hidden": str(model.hidden_), "auprc": value}


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set, draw, method and setting."""
    for data in few_rows(plan.quick):
        for draw in plan.numbers(data.draws):
            for method in PREDICTORS:
                case = _Case(data, method, plan.seed_of(draw), plan.quick)
                for grid, setting in _settings(plan.quick):
                    key = {"set": data.name, "draw": draw, "method": method, "grid": grid, "setting": setting}
                    yield Job(key, partial(_measured, case, grid, setting))


def _settings(quick: bool) -> Iterator[tuple[str, Any]]:
    yield AUTO, AUTO
    for grid, values in (QUICK if quick else {"lam": FACTORS, "width": WIDTHS}).items():
        yield from ((grid, value) for value in values)


def _measured(case: _Case, grid: str, setting: Any) -> Row:
    if grid == "lam":
        return case.measure(lam=setting * _automatic(case)["lam"])
    return case.measure(hidden=setting) if grid == "width" else _automatic(case)


@lru_cache(maxsize=1)
def _automatic(case: _Case) -> Row:
    return case.measure()


def summary(rows: list[Row]) -> list[Row]:
    """Automatic and oracle by set, method and grid, and the mean and least ratio over the sets.

    `difference` is automatic minus oracle, paired over draws, with the ends of its 95 % t interval; for
    the mean over sets, of the ratio, over sets.
    """
    names = dict.fromkeys((row["set"], row["method"]) for row in rows)
    entries = [
        entry
        for grid, parts in GRIDS.items()
        for name, method in names
        if (entry := _compared([r for r in rows if (r["set"], r["method"]) == (name, method)], grid, parts))
    ]
    return [*entries, *_over_sets(entries)]


def _compared(rows: list[Row], grid: str, parts: tuple[str, ...]) -> Row | None:
    """Compare on the draws for which every setting was run."""
    values: dict[Any, dict[Any, float]] = {}
    for row in rows:
        if row["grid"] in (AUTO, *parts) and row.get("auprc") is not None:
            values.setdefault((row["grid"], row["setting"]), {})[row["draw"]] = row["auprc"]
    draws = sorted(set.intersection(*(set(of) for of in values.values()))) if values else []
    if not draws or (AUTO, AUTO) not in values or len(values) < 2:
        return None
    means = {setting: float(np.mean([of[draw] for draw in draws])) for setting, of in values.items()}
    best = max(means, key=lambda setting: means[setting])
    difference, low, high = interval(values[AUTO, AUTO][draw] - values[best][draw] for draw in draws)
    return {
        "set": rows[0]["set"],
        "method": rows[0]["method"],
        "grid": grid,
        "draws": len(draws),
        "automatic": means[AUTO, AUTO],
        "oracle": means[best],
        "oracle_at": AUTO if best[0] == AUTO else f"{best[0]} {best[1]:g}",
        "ratio": means[AUTO, AUTO] / means[best],
        "chance": float(np.mean([row["chance"] for row in rows if row.get("chance") is not None])),
        "difference": difference,
        "low": low,
        "high": high,
    }


def _over_sets(entries: list[Row]) -> Iterator[Row]:
    for grid, method in dict.fromkeys((entry["grid"], entry["method"]) for entry in entries):
        of = [entry for entry in entries if (entry["grid"], entry["method"]) == (grid, method)]
        mean, low, high = interval(entry["ratio"] - 1 for entry in of)
        ends = {"grid": grid, "method": method, "draws": len(of)}
        yield {
            "set": "mean ratio over sets",
            **ends,
            "ratio": 1 + mean,
            "difference": mean,
            "low": low,
            "high": high,
        }
        worst = min(of, key=lambda entry: entry["ratio"])
        yield {"set": f"least ratio: {worst['set']}", **ends, "ratio": worst["ratio"]}


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """AUPRC over lam, by set and method, the automatic lam marked."""
    from robustae.lab.figures import curves

    return curves(folder, NAME)
