"""Robust location and scale, with row weights that count like repeated rows.

All functions take cells of shape (n, d) or (n,), NaN for missing, and work down the columns.
A weight w stands for w copies of its row, so integer weights give what `numpy.repeat` would.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtri

__all__ = [
    "WIDE",
    "MAD_TO_SD",
    "by_columns",
    "mad_scale",
    "mean_sd",
    "median",
    "quantile",
    "most_usual",
    "rounding_sd",
    "scale_beside_spike",
    "scale_of_cells",
    "scale_of_rows",
    "evenly",
    "some_columns",
    "some_rows",
    "thinned",
    "winsorised_sd",
]

WIDE = 2000  # columns from which not all are needed, or all at once
ROWS_FOR_GAPS, ROWS_FOR_TIES = 1000, 400
MAD_TO_SD = 1.482602218505602  # median absolute deviation of a Gaussian -> standard deviation

CACHED = 2**16  # cells

TIED = 0.05  # share of a column's cells that hold one value, below which nothing changes
SPIKE = 0.3  # share from which the other cells need not be Gaussian
FAR = 4.0  # deviations that hardly any Gaussian cell reaches
Z_UPPER, Z_OUTER = ndtri((1 + 0.75) / 2), ndtri((1 + 0.95) / 2)
STEEPEST = 3.0  # growth of their quantiles at most, against a Gaussian's 1: a lognormal's of deviation 1.35

Weight = np.ndarray | None


def quantile(x: np.ndarray, q: Any, weight: Weight = None) -> Any:
    """Quantile q by linear interpolation (NumPy's default), down the columns.

    With weights it is the quantile of the rows repeated `weight` times. Several q give one leading
    axis more; a column without any value gives NaN.
    """
    if weight is not None:
        return _weighted_quantile(x, np.asarray(q), weight)
    x = np.sort(x, axis=0)  # NaN last; sorting is vectorised, partitioning is not
    count = len(x) - np.isnan(x).sum(0)
    position = np.multiply.outer(q, np.maximum(count - 1, 0))
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    at_low, at_high = (np.take_along_axis(x, _rows(at, x), axis=0).reshape(at.shape) for at in (low, high))
    return (at_low + (at_high - at_low) * (position - low))[()]


def _rows(at: np.ndarray, x: np.ndarray) -> np.ndarray:
    return at.reshape((-1,) + x.shape[1:])


def _weighted_quantile(x: np.ndarray, q: np.ndarray, weight: np.ndarray) -> Any:
    order = np.argsort(x, axis=0, kind="stable")
    x = np.take_along_axis(x, order, axis=0)  # NaN last
    upto = np.cumsum(np.where(np.isnan(x), 0.0, weight[order]), axis=0)
    position = np.multiply.outer(q, np.maximum(upto[-1] - 1.0, 0.0))
    floor = np.floor(position + 1e-9)
    last = np.maximum((~np.isnan(x)).sum(0) - 1, 0)
    low, high = (np.minimum(_count_upto(upto, at), last) for at in (floor, floor + 1))
    at_low, at_high = (np.take_along_axis(x, _rows(at, x), axis=0).reshape(at.shape) for at in (low, high))
    return (at_low + (at_high - at_low) * np.maximum(position - floor, 0.0))[()]


def _count_upto(upto: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How many of the ascending `upto`, by column, are at most `at`: the row in which copy `at` lies."""
    flat = at.reshape((-1,) + upto.shape[1:])
    return np.stack([(upto <= one).sum(0) for one in flat]).reshape(at.shape)


def median(x: np.ndarray, weight: Weight = None) -> Any:
    """Median down the columns."""
    return quantile(x, 0.5, weight)


def mad_scale(x: np.ndarray, weight: Weight = None, centre: Any = None) -> Any:
    """Median absolute deviation from `centre` (default: the median), as a standard deviation."""
    centre = median(x, weight) if centre is None else centre
    return MAD_TO_SD * median(np.abs(x - centre), weight)


def mean_sd(x: np.ndarray, weight: Weight = None) -> tuple[Any, Any]:
    """Mean and standard deviation down the columns."""
    present = ~np.isnan(x)
    if weight is None and present.all():
        return x.mean(0), x.std(0)
    weight = np.ones(len(x)) if weight is None else weight
    w = present * weight.reshape((-1,) + (1,) * (x.ndim - 1))
    total = np.maximum(w.sum(0), np.finfo(float).tiny)
    filled = np.where(present, x, 0.0)
    mean = (w * filled).sum(0) / total
    return mean, np.sqrt((w * (filled - mean) ** 2).sum(0) / total)


def winsorised_sd(x: np.ndarray, weight: Weight = None, share: float = 0.01) -> tuple[Any, Any]:
    """Mean and standard deviation after clipping each column to its [share, 1 - share] quantiles."""
    low, high = quantile(x, (share, 1 - share), weight)
    return mean_sd(np.clip(x, low, high), weight)


def thinned(x: np.ndarray, at_most: int = 100_000) -> np.ndarray:
    """Return at most about `at_most` cells of x, evenly spread: enough for one scale.

    The stride has no divisor in common with the length of a row, so that all columns are met.
    """
    row = math.prod(x.shape[1:])
    step = max(1, x.size // at_most)
    while math.gcd(step, row) > 1:
        step += 1
    return x.reshape(-1)[::step]


def by_columns(function: Callable[[np.ndarray], Any], x: np.ndarray, cells: int = 2**21) -> np.ndarray:
    """Apply `function` to blocks of columns in float64 and join what it gives: no copy of all of x."""
    step = max(1, cells // max(len(x), 1))
    if x.shape[1] > WIDE:
        step = min(step, max(16, CACHED // max(len(x), 1)))
    blocks = (x[:, start : start + step].astype(np.float64) for start in range(0, x.shape[1], step))
    return np.concatenate([np.asarray(function(block)) for block in blocks], axis=-1)


def some_rows(x: np.ndarray, weight: Weight, at_most: int = 20_000) -> tuple[np.ndarray, Weight]:
    """Return at most `at_most` rows, evenly spread, and their weights: enough for a robust scale."""
    if len(x) <= at_most:
        return x, weight
    rows = evenly(len(x), at_most)
    return x[rows], None if weight is None else weight[rows]


def evenly(count: int, at_most: int) -> np.ndarray:
    """Return at most so many of the places 0 to count - 1, evenly spread."""
    return np.linspace(0, count - 1, min(count, at_most)).astype(int)


def some_columns(d: int, at_most: int = WIDE) -> np.ndarray:
    """Return at most 2000 of d columns, evenly spread: enough to tell rows apart."""
    return evenly(d, at_most)


def scale_of_cells(R: np.ndarray, weight: Weight = None) -> float:
    """One scale for all cells of R: 1.4826 times the median of abs(R), missing cells left out."""
    if weight is not None:
        weight = thinned(np.broadcast_to(weight[:, None], R.shape))
    return float(MAD_TO_SD * quantile(np.abs(thinned(R)), 0.5, weight))


def scale_of_rows(R: np.ndarray, weight: Weight = None) -> float:
    """One scale for all cells of R: the root mean square of the median row, missing cells left out."""
    observed = np.maximum(np.isfinite(R).sum(1), 1)
    return float(np.sqrt(quantile(np.nansum(R * R, axis=1) / observed, 0.5, weight)))


def scale_beside_spike(sizes: np.ndarray, cells: np.ndarray, weight: Weight = None) -> np.ndarray:
    """Scale of residuals by column, told by the cells that do not hold the column's commonest value.

    Where that value has a share s of the cells (the zeros of counts and amounts, a working week of 40
    hours), the median says nothing of the others. Their own middle, the quantile (1 + s) / 2 of all, lies
    at z deviations in a Gaussian, which gives the scale; without ties it is 1.4826 times the median. From
    s = 0.3 on their upper quartile tells how fast the tail grows, and the scale is such that about as many
    cells lie beyond 3 deviations as in a Gaussian, if the tail goes on like that.

    Parameters
    ----------
    sizes : array, shape (n, d)
        Absolute residuals, NaN where missing.
    cells : array, shape (n, d)
        What they are residuals of: equal where the values are equal.
    weight : array, shape (n,), optional

    Returns
    -------
    array, shape (d,)
    """
    scale = MAD_TO_SD * quantile(sizes, 0.5, weight)
    weights = np.ones(len(cells)) if weight is None else weight
    for j in _perhaps_tied(cells) if weight is None else range(cells.shape[1]):
        seen = ~np.isnan(sizes[:, j]) & (weights > 0)
        share = _commonest(cells[seen, j], weights[seen])
        if share > TIED:
            scale[j] = _beside(sizes[seen, j], weights[seen], share)
    return scale


def _perhaps_tied(cells: np.ndarray) -> np.ndarray:
    """Columns in which one value recurs, told from a few rows: most columns of measurements have none."""
    few = np.sort(cells[:: max(1, len(cells) // ROWS_FOR_TIES)], axis=0)
    apart = max(1, int(TIED / 2 * len(few)))
    return np.flatnonzero((few[apart:] == few[:-apart]).any(0))


def _commonest(column: np.ndarray, weights: np.ndarray) -> float:
    """Share of the value that occurs most often."""
    codes = np.unique(column, return_inverse=True)[1]
    return float(np.bincount(codes, weights).max() / weights.sum()) if len(column) else 0.0


def _beside(size: np.ndarray, weights: np.ndarray, share: float) -> float:
    at = np.array([(1 + share) / 2, (3 + share) / 4])
    middle, upper = quantile(size, at, weights)
    z, z_upper = ndtri((1 + at) / 2)
    if share < SPIKE or not middle > 0 or z > 3:
        return float(middle / z)
    growth = np.log(upper / middle) / np.log(z_upper / z)
    return float(middle / z * (3 / z) ** (np.clip(growth, 1.0, STEEPEST) - 1))


def most_usual(sizes: np.ndarray, cells: np.ndarray, weight: Weight = None) -> np.ndarray:
    """Return how far off cells are at most that are not wild, by column, shape (d,).

    The tail goes on from the outer twentieth as it grew up to there, from the outer quarter on: for Gaussian
    cells to 4 deviations, for heavy tails farther. Of a column in which one value recurs (counts of mostly
    nothing, levels) that says nothing: inf.

    Parameters
    ----------
    sizes : array, shape (n, d)
        Absolute residuals, NaN where missing.
    cells : array, shape (n, d)
        What they are residuals of.
    weight : array, shape (n,), optional
    """
    upper, outer = np.nan_to_num(quantile(sizes, (0.75, 0.95), weight))
    weights = np.ones(len(cells)) if weight is None else weight
    most = np.full(len(upper), np.inf)
    for j in np.flatnonzero(upper > 0):
        seen = ~np.isnan(sizes[:, j]) & (weights > 0)
        if _commonest(cells[seen, j], weights[seen]) < SPIKE:
            growth = np.log(outer[j] / upper[j]) / np.log(Z_OUTER / Z_UPPER)
            most[j] = outer[j] * (FAR / Z_OUTER) ** np.clip(growth, 1.0, STEEPEST)
    return most


def rounding_sd(x: np.ndarray) -> Any:
    """Deviation that rounding alone causes: the median gap between distinct values / sqrt(12).

    For counts and two-valued columns a third of their unit, for continuous columns next to nothing:
    the floor under every noise scale. Down the columns; 0 for a constant column.
    """
    few = x[:: max(1, len(x) // ROWS_FOR_GAPS)]
    gaps = np.diff(np.sort(few, axis=0), axis=0).astype(np.float64)
    gaps[~(gaps > 0)] = np.nan
    return np.nan_to_num(quantile(gaps, 0.5) / np.sqrt(12.0)) if len(gaps) else np.zeros(x.shape[1:])[()]
