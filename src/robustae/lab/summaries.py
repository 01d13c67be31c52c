"""Summaries of rows over their draws: means, deviations, and paired differences with their intervals.

A summary is tidy: one row for each group, method and measure, with `draws`, `mean`, `deviation`
(standard, n - 1), `chance`, and `difference` = reference minus method with `low` and `high`, the ends of
its 95 % t interval over the draws that both have (empty where they share fewer than two).
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from robustae.lab.jobs import Row
from robustae.lab.methods import OURS

__all__ = ["LEVEL", "averaged", "bootstrap", "interval", "over_sets", "summarised"]

LEVEL = 0.95
RESAMPLES = 10_000

Chance = Callable[[str, Sequence[Row]], float | None]
Ends = Callable[[Iterable[float]], tuple[float, float | None, float | None]]


def interval(values: Iterable[float]) -> tuple[float, float | None, float | None]:
    """Return the mean and the ends of its 95 % Student t interval, None below two values."""
    from scipy.stats import t

    x = np.asarray(list(values), dtype=np.float64)
    mean = float(x.mean())
    if len(x) < 2:
        return mean, None, None
    half = float(t.ppf((1 + LEVEL) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return mean, mean - half, mean + half


def bootstrap(values: Iterable[float]) -> tuple[float, float | None, float | None]:
    """Return the mean and the ends of its 95 % percentile bootstrap interval, None below two values."""
    x = np.asarray(list(values), dtype=np.float64)
    mean = float(x.mean())
    if len(x) < 2:
        return mean, None, None
    drawn = np.random.default_rng(0).integers(len(x), size=(RESAMPLES, len(x)))
    low, high = np.quantile(x[drawn].mean(axis=1), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return mean, float(low), float(high)


def summarised(
    rows: Iterable[Row],
    by: Sequence[str],
    measures: Sequence[str],
    chance: Chance = lambda measure, rows: None,
    reference: str = OURS,
    ends: Ends = interval,
) -> list[Row]:
    """Summarise over draws.

    Parameters
    ----------
    rows : iterable of dict
        With the columns `by`, "method" and "draw"; a measure that is None is left out.
    by : sequence of str
        What makes a group, for instance ("set",).
    measures : sequence of str
        Columns to summarise.
    chance : callable
        ``chance(measure, rows of a group and method)``: what a ranking by chance has.
    reference : str
        Whose difference to each method is given.
    ends : callable
        Of paired differences: their mean and the ends of its interval.

    Returns
    -------
    list of dict
        In the order of the rows; no entry for a method that has no value.
    """
    return [
        {
            **dict(zip(by, group, strict=True)),
            "method": method,
            "measure": measure,
            **_spread(values),
            "chance": chance(measure, of[method]),
            **_difference(_by_draw(measure, of.get(reference, [])), values, ends),
        }
        for group, of in _grouped(rows, by).items()
        for measure in measures
        for method in of
        if (values := _by_draw(measure, of[method]))
    ]


def over_sets(
    rows: Iterable[Row],
    title: str,
    measures: Sequence[str],
    chance: Chance = lambda measure, rows: None,
    reference: str = OURS,
) -> list[Row]:
    """Summarise with sets as what is drawn, of methods that have them all; intervals by the bootstrap.

    Parameters: as `summarised`, with a row for each set and method; `title` is the `set` of the result.
    """
    rows = list(rows)
    every = {row["set"] for row in rows}
    whole = [
        method
        for method in dict.fromkeys(row["method"] for row in rows)
        if {row["set"] for row in rows if row["method"] == method} == every
    ]
    kept = [{**row, "draw": row["set"], "set": title} for row in rows if row["method"] in whole]
    return summarised(kept, ("set",), measures, chance, reference, bootstrap)


def averaged(rows: Iterable[Row], measures: Iterable[str], over: str, keep: Sequence[str]) -> list[Row]:
    """Average measures over a column, within each value of the columns `keep`.

    Only what every value of `over` has is averaged: a mean over other sets would be another mean.
    """
    rows = list(rows)
    every = {row[over] for row in rows}
    means = []
    for key, of in _by_key(rows, keep).items():
        if {row[over] for row in of} == every:
            mean = {m: _mean([row.get(m) for row in of]) for m in measures}
            means.append({**dict(zip(keep, key, strict=True)), **mean})
    return means


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _by_key(rows: Iterable[Row], names: Sequence[str]) -> dict[tuple, list[Row]]:
    found: dict[tuple, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def _grouped(rows: Iterable[Row], by: Sequence[str]) -> dict[tuple, dict[str, list[Row]]]:
    return {
        group: {m: r for (m,), r in _by_key(of, ["method"]).items()}
        for group, of in _by_key(rows, by).items()
    }


def _spread(values: dict[object, float]) -> Row:
    x = np.array(list(values.values()))
    return {
        "draws": len(x),
        "mean": float(x.mean()),
        "deviation": float(x.std(ddof=1)) if len(x) > 1 else None,
    }


def _by_draw(measure: str, rows: list[Row]) -> dict[object, float]:
    return {row["draw"]: row[measure] for row in rows if row.get(measure) is not None}


def _difference(reference: dict[object, float], values: dict[object, float], ends: Ends) -> Row:
    paired = [reference[draw] - values[draw] for draw in values if draw in reference]
    mean, low, high = ends(paired) if paired else (None, None, None)
    return {"difference": mean, "low": low, "high": high}
