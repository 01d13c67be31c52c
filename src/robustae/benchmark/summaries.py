"""What rows say over their draws: means, deviations, and paired differences with their intervals.

A summary is tidy: one row for each group, method and measure, with `draws`, `mean`, `deviation`
(standard, n - 1), `chance`, and `difference` = reference minus method with `low` and `high`, the ends of
its 95 % t interval over the draws that both have (empty where they share fewer than two).
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from robustae.benchmark.jobs import Row
from robustae.benchmark.methods import OURS

__all__ = ["LEVEL", "averaged", "interval", "summarised"]

LEVEL = 0.95

Chance = Callable[[str, Sequence[Row]], float | None]


def interval(values: Iterable[float]) -> tuple[float, float | None, float | None]:
    """Return the mean and the ends of its 95 % Student t interval, None below two values."""
    from scipy.stats import t

    x = np.asarray(list(values), dtype=np.float64)
    mean = float(x.mean())
    if len(x) < 2:
        return mean, None, None
    half = float(t.ppf((1 + LEVEL) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return mean, mean - half, mean + half


def summarised(
    rows: Iterable[Row],
    by: Sequence[str],
    measures: Iterable[str],
    chance: Chance = lambda measure, rows: None,
    reference: str = OURS,
) -> list[Row]:
    """Summarise over draws.

    Parameters
    ----------
    rows : iterable of dict
        With the columns `by`, "method" and "draw"; a measure that is None is left out.
    by : sequence of str
        What makes a group, for instance ("set",).
    measures : iterable of str
        Columns to summarise.
    chance : callable
        ``chance(measure, rows of a group and method)``: what a ranking by chance has.
    reference : str
        Whose difference to each method is given.

    Returns
    -------
    list of dict
        In the order of the rows; no entry for a method that has no value.
    """
    groups = _grouped(rows, by)
    measures = list(measures)
    return [
        {**dict(zip(by, group, strict=True)), "method": method, "measure": measure, **entry}
        for group, of in groups.items()
        for measure in measures
        for method in of
        if (entry := _entry(measure, of[method], of.get(reference, []), chance))
    ]


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


def _entry(measure: str, rows: list[Row], reference: list[Row], chance: Chance) -> Row | None:
    values = _by_draw(measure, rows)
    if not values:
        return None
    x = np.array(list(values.values()))
    deviation = float(x.std(ddof=1)) if len(x) > 1 else None
    entry = {
        "draws": len(x),
        "mean": float(x.mean()),
        "deviation": deviation,
        "chance": chance(measure, rows),
    }
    return entry | _difference(_by_draw(measure, reference), values)


def _by_draw(measure: str, rows: list[Row]) -> dict[object, float]:
    return {row["draw"]: row[measure] for row in rows if row.get(measure) is not None}


def _difference(reference: dict[object, float], values: dict[object, float]) -> Row:
    paired = [reference[draw] - values[draw] for draw in values if draw in reference]
    mean, low, high = interval(paired) if paired else (None, None, None)
    return {"difference": mean, "low": low, "high": high}
