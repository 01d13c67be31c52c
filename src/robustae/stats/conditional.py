"""Rows of which some cells are missing or set aside: every cell predicted from the others that are there.

With o the cells of a row that are there and m the others, the inverse of S restricted to o is
P_oo - P_om P_mm^-1 P_mo, so a pattern of missing cells costs a factorisation of P_mm (or, where P is diagonal
less a product of few rows, of a matrix of that many rows). Where the patterns are too many for that,
the missing cells are found by conjugate gradients instead, all rows at once, and the scales are interpolated.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from robustae.stats.scatter import OWN, Scatter, left_out, spreads_of

__all__ = ["Given", "given", "precision_given"]

MOST_WORK = 2e10  # multiplications for exact patterns
BLOCK = 2**22  # cells of a batch of factorisations
STEPS, ENOUGH = 100, 1e-12  # of conjugate gradients; squared relative error


@dataclass(frozen=True)
class Given:
    """Rows about the location, given the cells that are there.

    Attributes
    ----------
    B : array, shape (n, d)
        Missing cells hold their conditional expectation.
    products : array, shape (n, d)
        P_oo^-1-style products (S_oo^-1 b_o), 0 where missing.
    pivots : array, shape (d,) or (n, d)
        Diagonal of S_oo^-1.
    wider : array, shape (n, d), or 1
        How many times wider residuals spread than in complete rows; of missing cells, about what they are
        expected to be.
    spread : array, shape (d, d), (d,) or None
        Sum over the rows, by weight, of the conditional covariances of what is missing, where asked for.
    """

    B: np.ndarray
    products: np.ndarray
    pivots: np.ndarray
    wider: Any = 1.0
    spread: np.ndarray | None = None

    def residuals(self) -> np.ndarray:
        """Each cell less its prediction from the others that are there; 0 where missing."""
        return self.products / self.pivots

    def left_out(self, scatter: Scatter, inside: np.ndarray) -> np.ndarray:
        """The same without the row itself in S, for the rows that are `inside`."""
        return left_out(self.B, self.products, self.pivots, scatter, inside)

    def distances(self) -> np.ndarray:
        """b_o' S_oo^-1 b_o: squared Mahalanobis distances of what is there, shape (n,)."""
        return np.einsum("ij,ij->i", self.B, self.products)


def given(scatter: Scatter, Z: np.ndarray, there: np.ndarray, weight: np.ndarray | None = None) -> Given:
    """Predict every cell of Z, shape (n, d), from those that are `there` in its row.

    Parameters
    ----------
    scatter : Scatter
    Z : array, shape (n, d)
        What it holds where not `there` is not looked at, but must be finite.
    there : array of bool, shape (n, d)
    weight : array, shape (n,), optional
        Weights for `spread`; without them it is None.
    """
    B = Z - scatter.location
    holes = ~there.all(1)
    if holes.any():
        B[~there] = 0.0
    else:
        products = scatter.times(B)
        return Given(B, products, scatter.pivots, 1.0, None if weight is None else np.zeros(Z.shape[1]))
    patterns, of_row = _patterns(there[holes])
    solve = _exactly if _work(scatter, patterns) <= MOST_WORK else _approximately
    filled, pivots, spreads, spread = solve(
        scatter, B[holes], patterns, of_row, None if weight is None else weight[holes]
    )
    B[holes] = filled
    products = np.where(there, scatter.times(B), 0.0)
    every = np.repeat(scatter.pivots[None], len(Z), axis=0)
    every[holes] = pivots
    wider = np.ones(Z.shape)
    wider[holes] = spreads / scatter.spreads
    return Given(B, products, every, wider, spread)


def precision_given(scatter: Scatter, there: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Inverse covariance of some columns in each row, given the others that are `there`, shape (n, g, g).

    P_gg - P_gm P_mm^-1 P_mg; that of complete rows where the patterns are too many, or P is not held whole.
    """
    patterns, of_row = _patterns(there)
    found = np.repeat(scatter.inner(part)[None], len(patterns), axis=0)
    if scatter.precision is None or _work(scatter, patterns) > MOST_WORK:
        return found[of_row]
    P, counts = scatter.precision, (~patterns).sum(1)
    for count in np.unique(counts[counts > 0]):
        same = np.flatnonzero(counts == count)
        m = np.nonzero(~patterns[same])[1].reshape(len(same), count)
        across = P[m[:, :, None], part]
        found[same] -= np.swapaxes(across, 1, 2) @ np.linalg.solve(P[m[:, :, None], m[:, None, :]], across)
    return found[of_row]


def _patterns(there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of `there`, and which of them each row is."""
    packed = np.ascontiguousarray(np.packbits(there, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, of_row = np.unique(keys, return_index=True, return_inverse=True)
    return there[first], of_row.ravel()


def _work(scatter: Scatter, patterns: np.ndarray) -> float:
    d = patterns.shape[1]
    if scatter.precision is None:
        return len(patterns) * float(len(scatter.factor)) ** 2 * d
    return float(((~patterns).sum(1).astype(float) ** 2).sum() * d)


def _exactly(scatter, B, patterns, of_row, weight):
    inner = _by_precision if scatter.precision is not None else _by_factor
    return inner(scatter, B, patterns, of_row, weight)


def _by_precision(scatter, B, patterns, of_row, weight):
    """Patterns with equally many missing cells are solved together."""
    P, filled = scatter.precision, B.copy()
    towards = B @ P
    pivots, between, alone = np.ones((3, len(patterns), len(P)))
    Q, diagonal = scatter.between, np.diag(scatter.between)
    spread = None if weight is None else np.zeros_like(P)
    counts = (~patterns).sum(1)
    rows_of = np.argsort(of_row, kind="stable")
    ends = np.searchsorted(of_row[rows_of], np.arange(len(patterns) + 1))
    for count in np.unique(counts):
        same = np.flatnonzero(counts == count)
        step = max(1, BLOCK // int(count * len(P)))
        for batch in (same[k : k + step] for k in range(0, len(same), step)):
            m = np.nonzero(~patterns[batch])[1].reshape(len(batch), count)
            inverse = np.linalg.inv(P[m[:, :, None], m[:, None, :]])
            across = P[m]  # (patterns, missing, d)
            weights = inverse @ across
            pivots[batch] = scatter.pivots - np.einsum("pmd,pmd->pd", across, weights)
            inner = Q[m[:, :, None], m[:, None, :]] @ weights - 2 * Q[m]
            between[batch] = diagonal + np.einsum("pmd,pmd->pd", inner, weights)
            own = np.einsum("pmm->pm", inverse)
            shrunk = np.einsum("pmd,d,pmd->pm", weights, scatter.ridge, weights)
            alone[batch[:, None], m] = np.sqrt(np.maximum(own - shrunk, OWN * own))
            sizes = ends[batch + 1] - ends[batch]
            which = np.repeat(np.arange(len(batch)), sizes)
            rows = np.concatenate([rows_of[ends[one] : ends[one + 1]] for one in batch])
            cells = m[which]
            found = np.einsum("rmk,rk->rm", inverse[which], np.take_along_axis(towards[rows], cells, 1))
            filled[rows[:, None], cells] = -found
            if spread is not None and weight is not None:
                heavy = np.bincount(which, weight[rows], len(batch))
                np.add.at(spread, (m[:, :, None], m[:, None, :]), heavy[:, None, None] * inverse)
    pivots = np.where(patterns, np.maximum(pivots, 1 / scatter.variances), 1.0)
    spreads = np.where(patterns, spreads_of(pivots, between), alone)
    return filled, pivots[of_row], spreads[of_row], spread


def _by_factor(scatter, B, patterns, of_row, weight):
    M, t = scatter.factor, scatter.ridge
    filled, pivots, spreads = B.copy(), np.ones_like(B), np.ones_like(B)
    spread = None if weight is None else np.zeros(len(t))
    scores = B @ M.T
    for one, there in enumerate(patterns):
        rows, m = np.flatnonzero(of_row == one), ~there
        Q = np.eye(len(M)) - (M[:, m] * t[m]) @ M[:, m].T
        lower = np.linalg.cholesky(Q)
        V = solve_triangular(lower, M, lower=True)
        u = np.linalg.solve(Q, scores[rows].T).T
        filled[np.ix_(rows, m)] = t[m] * (u @ M[:, m])
        squares = np.einsum("ij,ij->j", V, V)
        inner = np.where(there, 1 / t - squares, 1.0)
        pivots[rows] = inner
        Vo = V[:, there]
        between = 1 / t - 2 * squares + np.einsum("ij,ij->j", V, ((Vo * t[there]) @ Vo.T) @ V)
        own = t * (1 + t * squares)
        alone = np.sqrt(np.maximum(own - t, OWN * own))
        spreads[rows] = np.where(there, spreads_of(inner, between), alone)
        if spread is not None and weight is not None:
            spread[m] += weight[rows].sum() * t[m] * (1 + t[m] * (V[:, m] ** 2).sum(0))
    return filled, pivots, spreads, spread


def _approximately(scatter, B, patterns, of_row, weight):
    """Conjugate gradients for P_mm b_m = -P_mo b_o; pivots between those of a complete and of a lone cell."""
    there = patterns[of_row]
    filled = B + _gradients(scatter, np.where(there, 0.0, -scatter.times(B)), ~there)
    share = there.mean(1, keepdims=True)
    pivots = scatter.pivots**share * (1 / scatter.variances) ** (1 - share)
    alone = np.sqrt(np.maximum(scatter.variances - scatter.ridge, 0.0)) + 1e-12
    spread = None if weight is None else weight @ np.where(there, 0.0, 1 / pivots)
    return filled, np.where(there, pivots, 1.0), scatter.spreads**share * alone ** (1 - share), spread


def _gradients(scatter: Scatter, target: np.ndarray, missing: np.ndarray) -> np.ndarray:
    X, R = np.zeros_like(target), target
    D = R / scatter.pivots
    size = np.einsum("ij,ij->i", R, D)
    enough = ENOUGH * size
    for _ in range(STEPS):
        if (size <= enough).all():
            break
        AD = np.where(missing, scatter.times(D), 0.0)
        step = (size / np.maximum(np.einsum("ij,ij->i", D, AD), 1e-300))[:, None]
        X, R = X + step * D, R - step * AD
        scaled = R / scatter.pivots
        before, size = size, np.einsum("ij,ij->i", R, scaled)
        D = scaled + (size / np.maximum(before, 1e-300))[:, None] * D
    return X
