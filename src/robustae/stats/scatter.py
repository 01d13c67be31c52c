"""Location and scatter of rows, shrunk towards its diagonal, and every cell predicted from all others by it.

The scatter is S = (1 - a) C + T with C the covariance of the rows, a the shrinkage and T diagonal. With few
columns its inverse P is held; with more columns than rows P = T^-1 - M'M by Woodbury's identity, M of shape
(rows, d): no matrix of d x d is formed, and the cost is O(rows^2 d).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import lapack, solve_triangular

from robustae.stats.scales import WIDE, Weight

__all__ = ["FLOOR", "OWN", "Scatter", "Sums", "scatter_of", "shrinkage_at_least", "spreads_of"]

FLOOR = 0.05  # least variance of a column in the diagonal, as a share of its robust variance over all rows
OWN = 0.02  # least share of its own covariance in what a scatter predicts of residuals
ROWS = 1024  # at a time, which stay in the cache
BLOCK = 2**16  # cells at a time
RIDGE = 1e-6  # of the robust variance: keeps copies of one column apart


@dataclass(frozen=True)
class Sums:
    """What a scatter needs of rows; the sums of two sets of rows are added.

    Attributes
    ----------
    weight : float
    first : array, shape (d,)
        Weighted sum of the rows.
    second : array, shape (d, d)
        Weighted sum of their products, about zero.
    """

    weight: float
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, Z: np.ndarray, weight: Weight = None) -> "Sums":
        if weight is None:
            return cls(float(len(Z)), Z.sum(0), Z.T @ Z)
        return cls(float(weight.sum()), weight @ Z, (Z * weight[:, None]).T @ Z)

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.weight + other.weight, self.first + other.first, self.second + other.second)

    @property
    def location(self) -> np.ndarray:
        return self.first / self.weight

    @property
    def covariance(self) -> np.ndarray:
        return self.second / self.weight - np.multiply.outer(self.location, self.location)

    def scatter(self, shrinkage: float) -> "Scatter":
        return _primal(self.location, self.covariance, self.weight, shrinkage)


@dataclass(frozen=True)
class Scatter:
    """A location, and the inverse P of a scatter in one of two forms.

    Attributes
    ----------
    location : array, shape (d,)
    pivots : array, shape (d,)
        Diagonal of P.
    part : float
        What one copy of a row counts in S.
    variances : array, shape (d,)
        Diagonal of S.
    ridge : array, shape (d,)
        Diagonal of T.
    precision : array, shape (d, d), or None
    factor : array, shape (h, d), or None
        P = diag(1 / ridge) - factor' factor.
    copies : float
        Weight of the rows.
    """

    location: np.ndarray
    pivots: np.ndarray
    part: float
    variances: np.ndarray
    ridge: np.ndarray
    precision: Any = None
    factor: Any = None
    copies: float = np.inf

    def times(self, B: np.ndarray) -> np.ndarray:
        """Return B P for rows B about the location, shape (n, d)."""
        if self.precision is not None:
            return B @ self.precision
        inner = (B @ self.factor.T) @ self.factor
        return np.subtract(B / self.ridge, inner, out=inner)

    def distances(self, Z: np.ndarray) -> np.ndarray:
        """Squared distances b' P b of the rows of Z, shape (n,)."""
        return np.concatenate([self._distances(Z[k : k + ROWS]) for k in range(0, max(len(Z), 1), ROWS)])

    def _distances(self, Z: np.ndarray) -> np.ndarray:
        B = Z - self.location
        if self.precision is not None:
            return np.einsum("ij,ij->i", B @ self.precision, B)
        scores = B @ self.factor.T
        return B**2 @ (1 / self.ridge) - np.einsum("ij,ij->i", scores, scores)

    def inner(self, part: np.ndarray) -> np.ndarray:
        """Return P between some columns, shape (g, g)."""
        if self.precision is not None:
            return self.precision[part][:, part]
        M = self.factor[:, part]
        return np.diag(1 / self.ridge[part]) - M.T @ M

    def covariance(self, part: np.ndarray) -> np.ndarray:
        """Return S between some columns, shape (g, g)."""
        if self.precision is not None:
            return self._whole[part][:, part]
        M = self.factor[:, part] * self.ridge[part]
        return np.diag(self.ridge[part]) + M.T @ self._whole @ M

    @cached_property
    def _whole(self) -> np.ndarray:
        """S, or (I - M T M')^-1: S = T + T M' (I - M T M')^-1 M T."""
        if self.precision is not None:
            return inverse(self.precision)
        return inverse(np.eye(len(self.factor)) - (self.factor * self.ridge) @ self.factor.T)

    def room(self, B: np.ndarray, products: np.ndarray) -> np.ndarray:
        """1 - part b' P b of rows in S, shape (n,): what is left of S in their direction without them."""
        return np.maximum(1 - self.part * np.einsum("ij,ij->i", B, products), 1e-6)

    @property
    def moved_by_one(self) -> float:
        """How much farther from the location a row lies that has been left out of it."""
        return self.copies / (self.copies - 1) if np.isfinite(self.copies) else 1.0

    def residuals(self, Z: np.ndarray) -> np.ndarray:
        """Each cell less its prediction from all others, (P b)_j / P_jj, shape (n, d)."""
        return self.times(Z - self.location) / self.pivots

    def left_out(self, Z: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Residuals as they would be without the row (one copy of it) in S, for rows that are `inside`."""
        B = Z - self.location
        return left_out(B, self.times(B), self.pivots, self, inside)

    @property
    def shrinkage(self) -> float:
        """a in S = (1 - a) C + T."""
        return 1 - self.part * max(self.copies - 1, 1)

    def moved(self, Z: np.ndarray, weight: Weight, share: float) -> "Scatter":
        """Return the scatter with a share of it replaced by that of rows Z, shape (h, d), as d x d."""
        S = inverse(self.times(np.eye(len(self.pivots))))
        a = self.shrinkage
        C = (S - np.diag(self.ridge)) / max(1 - a, OWN)
        new = Sums.of(Z - self.location, weight)
        step = share * new.location
        apart = share * (1 - share) * np.outer(new.location, new.location)
        C = (1 - share) * C + share * new.covariance + apart
        return _primal(self.location + step, C, self.copies, a)

    @cached_property
    def between(self) -> np.ndarray:
        """P T P, shape (d, d): what of P is not the rows' own covariance. Of the form with `precision`."""
        return (self.precision * self.ridge) @ self.precision

    @cached_property
    def spreads(self) -> np.ndarray:
        """Deviations of the residuals over the rows, up to one factor, shape (d,): see `spreads_of`."""
        if self.precision is not None:
            return spreads_of(self.pivots, np.diag(self.between))
        M = self.factor
        inner = np.einsum("ij,ij->j", M, ((M * self.ridge) @ M.T) @ M)
        return spreads_of(self.pivots, 1 / self.ridge - 2 * np.einsum("ij,ij->j", M, M) + inner)


def spreads_of(pivots: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Deviations of residuals by the rows' own covariance C, not the shrunk one: sqrt((P C P)_jj) / P_jj.

    With S = (1 - a) C + T that is (P - P T P)_jj, up to 1 - a; `between` is the diagonal of P T P.
    """
    return np.sqrt(np.maximum(pivots - between, OWN * pivots)) / pivots


def left_out(
    B: np.ndarray, products: np.ndarray, pivots: np.ndarray, scatter: Scatter, inside: np.ndarray
) -> np.ndarray:
    """Residuals of rows, of those `inside` without themselves (Sherman and Morrison 1950).

    With one copy of b taken out of W, location and scatter are S' = S - k b b' (k = part) up to a common
    factor, and the row lies at b W / (W - 1).

    Parameters
    ----------
    B, products : arrays, shape (n, d)
        Rows about the location, and P b (0 where a cell is missing).
    pivots : array, shape (d,) or (n, d)
    scatter : Scatter
    inside : array of bool, shape (n,)
    """
    R = products / pivots
    if not inside.any() or not scatter.part > 0:
        return R
    rows = np.flatnonzero(inside)
    for some in np.array_split(rows, max(1, R.size // BLOCK)):
        Pb, at = products[some], pivots if pivots.ndim == 1 else pivots[some]
        room = scatter.room(B[some], Pb)[:, None]
        R[some] = scatter.moved_by_one * (Pb / room) / (at + scatter.part * Pb * Pb / room)
    return R


def shrinkage_at_least(rows: float, d: int) -> float:
    """Shrinkage without which S is singular or nearly so."""
    return d / (d + rows)


def scatter_of(Z: np.ndarray, weight: Weight, shrinkage: float, extra: np.ndarray | None = None) -> Scatter:
    """Return the scatter of the rows of Z, shape (h, d), complete, in units of robust deviations.

    Parameters
    ----------
    Z : array
    weight : array, shape (h,), optional
        A weight w counts as w copies.
    shrinkage : float in (0, 1)
    extra : array, shape (d, d) or (d,), optional
        What is added to the covariance (or its diagonal) for cells that were filled in.
    """
    total = float(len(Z) if weight is None else weight.sum())
    location = Z.mean(0) if weight is None else weight @ Z / total
    B = Z - location
    if weight is not None:
        B *= np.sqrt(weight)[:, None]
    if len(Z) < Z.shape[1]:
        B /= np.sqrt(total)
        return _dual(location, B, total, shrinkage, extra)
    C = B.T @ B / total
    if extra is not None:
        C += np.diag(extra) if extra.ndim == 1 else extra
    return _primal(location, C, total, shrinkage)


def _part(total: float, shrinkage: float) -> float:
    return (1 - shrinkage) / max(total - 1, 1)


def _target(variances: np.ndarray, shrinkage: float) -> np.ndarray:
    return shrinkage * np.maximum(variances, FLOOR) + RIDGE


def _primal(location: np.ndarray, C: np.ndarray, total: float, shrinkage: float) -> Scatter:
    S = (1 - shrinkage) * C
    ridge = _target(np.diag(C), shrinkage)
    S[np.diag_indices(len(S))] += ridge
    P = inverse(S)
    return Scatter(
        location,
        np.diag(P).copy(),
        _part(total, shrinkage),
        np.diag(S).copy(),
        ridge,
        precision=P,
        copies=total,
    )


def inverse(S: np.ndarray) -> np.ndarray:
    """Inverse of a positive definite matrix, exactly symmetric."""
    routines: Any = lapack
    lower, failed = routines.dpotrf(S, lower=1)
    if failed:
        return np.linalg.pinv(S, hermitian=True)
    P, _ = routines.dpotri(lower, lower=1)
    return np.tril(P) + np.tril(P, -1).T


def _factor(G: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """Return M with M'M = (G / ridge)' (I + G diag(1 / ridge) G')^-1 (G / ridge)."""
    if len(ridge) > WIDE:  # many columns are slow to solve for
        root = np.sqrt(ridge)
        G = G / root
        return np.linalg.inv(np.linalg.cholesky(G @ G.T + np.eye(len(G)))) @ G / root
    scaled = G / ridge
    K = scaled @ G.T
    K[np.diag_indices(len(K))] += 1
    return solve_triangular(np.linalg.cholesky(K), scaled, lower=True)


def _dual(
    location: np.ndarray, G: np.ndarray, total: float, shrinkage: float, extra: np.ndarray | None
) -> Scatter:
    """G is overwritten."""
    variances = np.einsum("ij,ij->j", G, G)
    filled = 0.0 if extra is None else (extra if extra.ndim == 1 else np.diag(extra))
    ridge = _target(variances + filled, shrinkage) + (1 - shrinkage) * filled
    G *= np.sqrt(1 - shrinkage)
    M = _factor(G, ridge)
    return Scatter(
        location,
        1 / ridge - np.einsum("ij,ij->j", M, M),
        _part(total, shrinkage),
        ridge + (1 - shrinkage) * variances,
        ridge,
        factor=M,
        copies=total,
    )
