"""The robust fit of `predictor="shallow"`: rows kept, shrinkage, residuals as of unseen rows, their scales.

Cells are in robust deviations of their columns, 0 the location.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from robustae.stats.clusters import CLUSTER, shares_near
from robustae.stats.conditional import Given, filled, given
from robustae.stats.groups import Groups
from robustae.stats.scales import (
    WIDE,
    Weight,
    by_columns,
    evenly,
    mad_scale,
    mean_sd,
    quantile,
    some_columns,
    some_rows,
    winsorised_sd,
)
from robustae.stats.scatter import Scatter, scatter_of, shrinkage_at_least
from robustae.stats.thresholds import clean_part

__all__ = ["ShallowFit", "fit_shallow"]

KEPT = 0.75
AS_LARGE = 0.7  # a cluster against the typical one
OF_LEVEL = 0.5  # of the rows of a level
STEPS, RECOUNTS = 10, 2
FILLINGS = 5  # steps of expectation and maximisation for the rows kept in the end
SOME = 5000  # rows from which the start and scales come
TIE = 1e-9  # relative difference of distances that rounding may make
SHRINKAGES = (0.01, 0.03, 0.1, 0.2)
ASKED = 2000  # rows that choose among them
LEEWAY = 0.1  # of the mean log residual
OUTER = 0.1  # share of the residuals at either end that is winsorised
WINSORISED = 0.6  # share of the winsorised deviation that is the least scale of a column


@dataclass(frozen=True)
class ShallowFit:
    """A robust fit.

    Attributes
    ----------
    scatter : Scatter
        Of the rows kept, shrunk.
    scale : array, shape (d,)
        Of the residuals of complete rows.
    kept : array of bool, shape (n,)
        Rows in the scatter.
    nearest : array of bool, shape (n,)
        The three quarters of the rows nearest to the centre, ties included.
    rows, residuals : array, shape (n, d)
        What is missing as predicted; as if each row had been left out, 0 where missing.
    wider : array, shape (n, d), or 1
        How many times wider residuals spread for what is missing in the row.
    """

    scatter: Scatter
    scale: np.ndarray
    kept: np.ndarray
    nearest: np.ndarray
    rows: np.ndarray
    residuals: np.ndarray
    wider: Any


def fit_shallow(
    Z: np.ndarray,
    there: np.ndarray,
    weight: Weight = None,
    clean: bool = False,
    groups: Groups | None = None,
) -> ShallowFit:
    """Fit to rows, anomalies among them or not.

    Parameters
    ----------
    Z : array, shape (n, d)
        In robust deviations; finite where missing.
    there : array of bool, shape (n, d)
        Cells that are observed.
    weight : array, shape (n,), optional
        A weight w counts as w copies.
    clean : bool
        Whether all rows are to be kept.
    groups : Groups, optional
        Columns that belong together. Rows are kept by the others, given those, all where there are none: a
        rare level is far off in units of its own deviation, and no row with one would be kept.
    """
    rows = _Rows(Z, there, weight, groups)
    asked = rows.narrowed()
    if clean or groups is not None and not groups.alone.any():
        nearest = kept = np.ones(len(Z), bool)
    else:
        nearest, kept = _kept(asked)
    asked.fill(kept)
    shrinkage = _shrinkage(asked, kept)
    if asked is not rows:
        rows.fill(kept)
    scatter = rows.scatter(kept, shrinkage)
    found = given(scatter, Z, there)
    R = rows.residuals(found, scatter, kept)
    scale = _scales(rows, R if rows.whole else R / found.wider, kept)
    full = found.B
    full += scatter.location
    if not rows.whole:
        full, R = np.where(there, full, full - R), np.where(there, R, 0.0)
    return ShallowFit(scatter, scale, kept, nearest, full, R, found.wider)


class _Rows:
    """The rows of a fit, their missing cells filled by the scatter so far."""

    def __init__(self, Z: np.ndarray, there: np.ndarray, weight: Weight, groups: Groups | None = None):
        self.there, self.weight, self.groups = there, weight, groups
        self.whole = bool(there.all())
        self.Z = Z if self.whole else np.where(there, Z, 0.0)
        # What is filled with the location has lost its variance, about 1.
        self.extra = None if self.whole else 1 - there.mean(0)

    def __len__(self) -> int:
        return len(self.Z)

    def copies(self, rows: Any) -> float:
        return float((np.ones(len(self)) if self.weight is None else self.weight)[rows].sum())

    def weights(self, rows: np.ndarray) -> Weight:
        return None if self.weight is None else self.weight[rows]

    def scatter(self, kept: np.ndarray, shrinkage: float | None = None) -> Scatter:
        """Of some rows; with missing cells one step of expectation and maximisation."""
        least = shrinkage_at_least(self.copies(kept), self.Z.shape[1])
        amount = least if shrinkage is None else max(shrinkage, least)
        found = scatter_of(self.Z[kept], self.weights(kept), amount, self.extra)
        if not self.whole:
            weight = kept * (np.ones(len(self)) if self.weight is None else self.weight)
            full = filled(found, self.Z, self.there, weight)
            self.Z = full.B + found.location
            self.extra = full.spread / weight.sum()
        return found

    def some(self) -> "_Rows":
        """Some of the rows, evenly spread."""
        step = len(self) // SOME
        every = np.arange(0, len(self), step)
        return _Rows(self.Z[every], self.there[every], self.weights(every), self.groups)

    @property
    def asked(self) -> Any:
        """Columns by which rows are kept."""
        alone = None if self.groups is None else np.flatnonzero(self.groups.alone)
        return slice(None) if alone is None or not len(alone) else alone

    def narrowed(self) -> "_Rows":
        """Some of the columns, evenly spread, where they are many: enough to tell which rows to keep."""
        columns = some_columns(self.Z.shape[1])
        if len(columns) == self.Z.shape[1] or self.groups is not None:
            return self
        return _Rows(self.Z[:, columns], self.there[:, columns], self.weight)

    def fill(self, kept: np.ndarray) -> None:
        """Go on until the missing cells stand, more or less."""
        for _ in range(0 if self.whole else FILLINGS):
            self.scatter(kept)

    def residuals(self, found: Given, scatter: Scatter, kept: np.ndarray) -> np.ndarray:
        """Residuals as if each row had been left out."""
        R = found.left_out(scatter, kept)
        return R if self.groups is None else self.groups.residuals(R, found, scatter, self.there, kept)

    def nearest(self, distances: np.ndarray) -> np.ndarray:
        """The nearest rows, and half of those of every level: others say nothing of what goes with it."""
        kept = _nearest(distances, self.weight, KEPT)
        for rows in self.by_level:
            weight = self.weights(rows)
            if np.average(kept[rows], weights=weight) < OF_LEVEL:
                kept[rows] |= _nearest(distances[rows], weight, OF_LEVEL)
        return kept

    @cached_property
    def by_level(self) -> list[np.ndarray]:
        """Rows of each level."""
        return [] if self.groups is None else self.groups.rows_of_levels(self.Z, self.there)

    def distances(self, scatter: Scatter) -> np.ndarray:
        """Squared distances, those of rows with missing cells as for whole rows of their probability."""
        if self.whole and self.groups is None:
            return scatter.distances(self.Z)
        found, there = filled(scatter, self.Z, self.there), self.there[:, self.asked]
        d, observed = there.shape[1], there.sum(1)
        d2 = found.distances() if self.groups is None else self.groups.distances(scatter, found.products)
        return np.maximum(d + (d2 - observed) * np.sqrt(d / np.maximum(observed, 1)), 0.0)


def _concentrated(rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
    """The nearest three quarters by concentration steps (Rousseeuw and Van Driessen 1999).

    Of many rows some do for all steps but the last.
    """
    if len(rows) >= 2 * SOME:
        few = rows.some()
        distances = rows.distances(few.scatter(_concentrated(few)[0]))
        return rows.nearest(distances), distances
    there = rows.there[:, rows.asked]
    logs = np.log1p(rows.Z[:, rows.asked] ** 2) * there
    distances = logs.sum(1) * (there.shape[1] / np.maximum(there.sum(1), 1))
    kept = np.zeros(len(rows), bool)
    for _ in range(STEPS):
        before, kept = kept, rows.nearest(distances)
        if (before == kept).all():
            break
        distances = rows.distances(rows.scatter(kept))
    return kept, distances


def _nearest(distances: np.ndarray, weight: Weight, share: float) -> np.ndarray:
    """Rows that make up the nearest `share` of the weight, and those as near as the last of them."""
    w = np.ones(len(distances)) if weight is None else weight
    order = np.argsort(distances, kind="stable")
    upto = np.cumsum(w[order])
    last = min(np.searchsorted(upto, max(share * upto[-1], min(2.0, upto[-1])) * (1 - 1e-12)), len(order) - 1)
    return distances <= distances[order[last]] * (1 + TIE)


def _kept(rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest rows, and those that are kept."""
    nearest, distances = _concentrated(rows)
    kept = _taken_back(rows, nearest, distances)
    for _ in range(RECOUNTS):
        back = _clusters(rows, nearest, kept)
        if not back.any():
            break
        nearest = nearest | back
        kept = _taken_back(rows, nearest, rows.distances(rows.scatter(nearest)))
    return nearest, kept


def _taken_back(rows: _Rows, nearest: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Also the rows that lie no farther out than rows like the nearest do by chance."""
    kept = nearest
    for _ in range(RECOUNTS):
        limit = clean_part(distances, rows.weight).limit
        before, kept = kept, nearest | (distances <= limit * (1 + TIE))
        if (before == kept).all():
            break
        distances = rows.distances(rows.scatter(kept))
    return kept


def _clusters(rows: _Rows, nearest: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the rows left out that have about as many others near them as those nearest have, (n,), bool.

    Clusters that were left out as a whole.
    """
    found, far = np.zeros(len(rows), bool), np.flatnonzero(~kept)
    if rows.copies(far) >= CLUSTER * rows.copies(slice(None)):
        usual, shares = shares_near(rows.Z[:, rows.asked], rows.there[:, rows.asked], nearest, far)
        found[far] = shares >= AS_LARGE * np.median(usual)
    return found


def _shrinkage(rows: _Rows, kept: np.ndarray) -> float:
    """The most shrinkage by which a row left out is predicted nearly as well as by the best.

    Residuals are measured by the mean over columns of the log of their median size.
    """
    d = rows.Z.shape[1]
    chosen = np.flatnonzero(kept)
    chosen = chosen[:: max(1, len(chosen) // ASKED)]
    few = _Rows(rows.Z[chosen], rows.there[chosen], rows.weights(chosen), rows.groups)
    few.extra = rows.extra
    least = shrinkage_at_least(rows.copies(kept), d)
    tried = [a for a in SHRINKAGES if a > least] or [least]
    errors = np.array([_error(few, a) for a in tried])
    return max(a for a, error in zip(tried, errors, strict=True) if error <= errors.min() + LEEWAY)


def _error(rows: _Rows, shrinkage: float) -> float:
    every = np.ones(len(rows), bool)
    scatter = scatter_of(rows.Z, rows.weight, shrinkage, rows.extra)
    R = given(scatter, rows.Z, rows.there).left_out(scatter, every)
    sizes = np.where(rows.there, np.abs(R), np.nan)[:, rows.asked]
    return float(np.log(np.maximum(np.nan_to_num(quantile(sizes, 0.5, rows.weight)), 1e-9)).mean())


def _scales(rows: _Rows, R: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """MAD of the residuals of the rows kept, and at least a share of the winsorised deviation of all."""
    if not rows.whole:
        R = np.where(rows.there, R, np.nan)
    some, weight = some_rows(R, rows.weight, SOME)
    inside = np.flatnonzero(kept)
    inside = inside[evenly(len(inside), SOME)]
    inner, weights = R[inside], rows.weights(inside)
    at_once = WIDE * len(R)
    robust = np.nan_to_num(by_columns(lambda block: mad_scale(block, weights, 0.0), inner, at_once))
    spread = by_columns(lambda block: winsorised_sd(block, weight, OUTER)[1], some, at_once)
    spread = np.nan_to_num(spread)
    if not (spread > 1e-9).all():
        spread = np.where(spread > 1e-9, spread, np.nan_to_num(mean_sd(some, weight)[1]))
    return np.maximum(robust, WINSORISED * np.where(spread > 1e-9, spread, 1.0))
