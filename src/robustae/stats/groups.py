"""Columns that stand for one thing, the levels of a category say, predicted from all others.

With P the inverse of the scatter, K = P_gg is the inverse covariance of the group g given all other columns,
and b_g - K^-1 (P b)_g its conditional expectation mu. For levels, which are one of a few points c_k, the same
scatter gives probabilities: by the discriminant rule of Fisher (1936), p_k is proportional to
pi_k exp(c_k' A c_k / 2 - (c_k - mu)' K (c_k - mu) / 2), pi_k the share of the level, A the inverse of S_gg.
They are pi_k where the other columns say nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import softmax

from robustae.stats.conditional import Given, precision_given
from robustae.stats.scatter import Scatter

__all__ = ["Groups"]

CELLS = 2**22  # of the matrices K of rows with missing cells, at a time
LEAST = 1e-6  # share of a level


@dataclass(frozen=True)
class Groups:
    """Which columns belong together.

    Attributes
    ----------
    source : array of int, shape (d,)
        Equal for columns that do.
    levels : array of bool, shape (d,)
        Columns of levels: each but the first level has one, in which it differs from all others.
    zero, one : array, shape (d,)
        What the others and the level are there, on the model's scale.
    """

    source: np.ndarray
    levels: np.ndarray
    zero: np.ndarray
    one: np.ndarray

    @cached_property
    def parts(self) -> list[np.ndarray]:
        """Columns of each group: of levels, or more than one."""
        each = [np.flatnonzero(self.source == one) for one in np.unique(self.source)]
        return [part for part in each if len(part) > 1 or self.levels[part[0]]]

    @cached_property
    def alone(self) -> np.ndarray:
        """Columns in no group, bool, shape (d,)."""
        alone = np.ones(len(self.source), bool)
        for part in self.parts:
            alone[part] = False
        return alone

    def distances(self, scatter: Scatter, products: np.ndarray) -> np.ndarray:
        """Squared distances of the columns in no group, given those in groups, shape (n,).

        By u' (P_nn)^-1 u with u = (P b)_n, n the columns in no group.
        """
        u = products[:, self.alone]
        return np.einsum("ij,ij->i", u, np.linalg.solve(scatter.inner(self.alone), u.T).T)

    def residuals(
        self,
        R: np.ndarray,
        found: Given,
        scatter: Scatter,
        there: np.ndarray,
        inside: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return residuals R, shape (n, d), with those of groups from all columns but their own.

        For rows `inside` the scatter is as without themselves. A missing cell, too, has a residual: of
        what it is filled with.
        """
        R, missing = R.copy(), ~there
        holes = missing.sum(1)
        room = (
            None if inside is None or not scatter.part > 0 else scatter.room(found.B, found.products)[:, None]
        )
        for part in self.parts:
            for rows, inner in _inner(scatter, missing, holes, part):
                at = np.ix_(rows, part)
                apart = _solved(inner, found.products[at])
                if room is not None and inside is not None:
                    own = scatter.part * (found.products[at] * apart).sum(1, keepdims=True)
                    alone = scatter.moved_by_one * apart / (room[rows] + own)
                    apart = np.where(inside[rows, None], alone, apart)
                R[at] = found.B[at] - self._expected(found.B[at] - apart, inner, scatter, part)
        return R

    def log_odds(self, scatter: Scatter) -> tuple[np.ndarray, np.ndarray]:
        """Return a and b, shape (d,): in columns of two values log(p_1 / p_0) = a + b mu; 0 in others."""
        low, high = self.zero - scatter.location, self.one - scatter.location
        step = np.where(self.levels, high - low, 1.0)
        share = np.clip(-low / step, LEAST, 1.0)
        prior = np.log(share / np.maximum(1 - share, LEAST))
        base = prior + (1 / scatter.variances - scatter.pivots) * (high**2 - low**2) / 2
        return np.where(self.levels, base, 0.0), np.where(self.levels, scatter.pivots * step, 0.0)

    def _expected(self, mu: np.ndarray, inner: np.ndarray, scatter: Scatter, part: np.ndarray) -> np.ndarray:
        """About the location: mu, of levels the mean of the points by their probabilities."""
        if not self.levels[part[0]]:
            return mu
        zero, step = self.zero[part] - scatter.location[part], (self.one - self.zero)[part]
        points = zero + np.vstack([np.zeros(len(part)), np.diag(step)])
        shares = np.clip(-zero / step, LEAST, 1.0)
        prior = np.append(max(1 - shares.sum(), LEAST), shares)
        own = np.einsum("kg,gh,kh->k", points, np.linalg.inv(scatter.covariance(part)), points)
        across = np.einsum("...gh,kh->...kg", inner, points)
        bent = np.einsum("...kg,kg->...k", across, points)
        towards = mu @ across.T if inner.ndim == 2 else np.einsum("nkg,ng->nk", across, mu)
        return softmax(np.log(prior) + own / 2 - bent / 2 + towards, axis=1) @ points


def _solved(inner: np.ndarray, u: np.ndarray) -> np.ndarray:
    """K^-1 u, how far groups lie from their conditional expectation: 0 where missing."""
    if inner.ndim == 2:
        return np.linalg.solve(inner, u.T).T
    return np.linalg.solve(inner, u[..., None])[..., 0]


def _inner(
    scatter: Scatter, missing: np.ndarray, holes: np.ndarray, part: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows, and the inverse covariance of the group in them given what else is there."""
    others = holes > missing[:, part].sum(1)
    if not others.all():
        yield np.flatnonzero(~others), scatter.inner(part)
    rows = np.flatnonzero(others)
    step = max(1, CELLS // len(part) ** 2)
    for some in (rows[k : k + step] for k in range(0, len(rows), step)):
        there = ~missing[some]
        there[:, part] = True
        yield some, precision_given(scatter, there, part)
