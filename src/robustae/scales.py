"""Robust location and scale, with row weights that count like repeated rows.

All functions take cells of shape (n, d) or (n,), NaN for missing, and work down the columns.
A weight w stands for w copies of its row, so integer weights give what `numpy.repeat` would.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "MAD_TO_SD",
    "by_columns",
    "mad_scale",
    "mean_sd",
    "median",
    "quantile",
    "rounding_sd",
    "scale_of_cells",
    "scale_of_rows",
    "some_rows",
    "thinned",
    "winsorised_sd",
]

ROWS_FOR_GAPS = 1000
MAD_TO_SD = 1.482602218505602  # median absolute deviation of a Gaussian -> standard deviation

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
    blocks = (x[:, start : start + step].astype(np.float64) for start in range(0, x.shape[1], step))
    return np.concatenate([np.asarray(function(block)) for block in blocks], axis=-1)


def some_rows(x: np.ndarray, weight: Weight, at_most: int = 20_000) -> tuple[np.ndarray, Weight]:
    """Return at most about `at_most` rows, evenly spread, and their weights: enough for a robust scale."""
    step = max(1, len(x) // at_most)
    return (x, weight) if step == 1 else (x[::step], None if weight is None else weight[::step])


def scale_of_cells(R: np.ndarray, weight: Weight = None) -> float:
    """One scale for all cells of R: 1.4826 times the median of abs(R), missing cells left out."""
    if weight is not None:
        weight = thinned(np.broadcast_to(weight[:, None], R.shape))
    return float(MAD_TO_SD * quantile(np.abs(thinned(R)), 0.5, weight))


def scale_of_rows(R: np.ndarray, weight: Weight = None) -> float:
    """One scale for all cells of R: the root mean square of the median row, missing cells left out."""
    observed = np.maximum(np.isfinite(R).sum(1), 1)
    return float(np.sqrt(quantile(np.nansum(R * R, axis=1) / observed, 0.5, weight)))


def rounding_sd(x: np.ndarray) -> Any:
    """Deviation that rounding alone causes: the median gap between distinct values / sqrt(12).

    For counts and two-valued columns a third of their unit, for continuous columns next to nothing:
    the floor under every noise scale. Down the columns; 0 for a constant column.
    """
    few = x[:: max(1, len(x) // ROWS_FOR_GAPS)]
    gaps = np.diff(np.sort(few, axis=0), axis=0).astype(np.float64)
    gaps[~(gaps > 0)] = np.nan
    return np.nan_to_num(quantile(gaps, 0.5) / np.sqrt(12.0)) if len(gaps) else np.zeros(x.shape[1:])[()]
