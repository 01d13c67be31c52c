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

__all__ = ["Filled", "Given", "filled", "given", "precision_given"]

MOST_WORK = 2e10  # multiplications for exact patterns
BLOCK = 2**22  # cells of a batch of factorisations
STEPS, ENOUGH = 100, 1e-12  # of conjugate gradients; squared relative error


@dataclass(frozen=True)
class Filled:
    """Rows about the location, their missing cells as expected given the others.

    Attributes
    ----------
    B : array, shape (n, d)
    products : array, shape (n, d)
        P_oo^-1-style products (S_oo^-1 b_o), 0 where missing.
    spread : array, shape (d, d), (d,) or None
        Sum over the rows, by weight, of the conditional covariances of what is missing, where asked for.
    """

    B: np.ndarray
    products: np.ndarray
    spread: np.ndarray | None = None

    def distances(self) -> np.ndarray:
        """b_o' S_oo^-1 b_o: squared Mahalanobis distances of what is there, shape (n,)."""
        return np.einsum("ij,ij->i", self.B, self.products)


@dataclass(frozen=True)
class Given(Filled):
    """Rows about the location, every cell predicted from the others that are there.

    Attributes
    ----------
    pivots : array, shape (d,) or (n, d)
        Diagonal of S_oo^-1.
    wider : array, shape (n, d), or 1
        How many times wider residuals spread than in complete rows; of missing cells, about what they are
        expected to be.
    """

    pivots: Any = None
    wider: Any = 1.0

    def residuals(self) -> np.ndarray:
        """Each cell less its prediction from the others that are there; 0 where missing."""
        return self.products / self.pivots

    def left_out(self, scatter: Scatter, inside: np.ndarray) -> np.ndarray:
        """The same without the row itself in S, for the rows that are `inside`."""
        return left_out(self.B, self.products, self.pivots, scatter, inside)


def filled(scatter: Scatter, Z: np.ndarray, there: np.ndarray, weight: np.ndarray | None = None) -> Filled:
    """Expect the missing cells of Z, shape (n, d), given those that are `there` in the row.

    Parameters
    ----------
    scatter : Scatter
    Z : array, shape (n, d)
        What it holds where not `there` is not looked at, but must be finite.
    there : array of bool, shape (n, d)
    weight : array, shape (n,), optional
        Weights for `spread`; without them it is None.
    """
    return _filled(scatter, Z, there, weight, False)[0]


def given(scatter: Scatter, Z: np.ndarray, there: np.ndarray) -> Given:
    """Predict every cell of Z from those that are `there` in its row; parameters are those of `filled`."""
    rows, pivots, spreads = _filled(scatter, Z, there, None, True)
    if pivots is None or spreads is None:
        return Given(rows.B, rows.products, pivots=scatter.pivots)
    holes = ~there.all(1)
    every, wider = np.repeat(scatter.pivots[None], len(Z), axis=0), np.ones(Z.shape)
    every[holes], wider[holes] = pivots, spreads / scatter.spreads
    return Given(rows.B, rows.products, pivots=every, wider=wider)


def _filled(scatter, Z, there, weight, cells):
    """Return the rows, and of `cells` of incomplete ones pivots and spreads; None where all are complete."""
    B = Z - scatter.location
    holes = ~there.all(1)
    if not holes.any():
        return Filled(B, scatter.times(B), None if weight is None else np.zeros(Z.shape[1])), None, None
    B[~there] = 0.0
    patterns, of_row = _patterns(there[holes])
    solve = _exactly if _work(scatter, patterns) <= MOST_WORK else _approximately
    within = None if weight is None else weight[holes]
    B[holes], pivots, spreads, spread = solve(scatter, B[holes], patterns, of_row, within, cells)
    return Filled(B, np.where(there, scatter.times(B), 0.0), spread), pivots, spreads


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


def _exactly(scatter, B, patterns, of_row, weight, cells):
    inner = _by_precision if scatter.precision is not None else _by_factor
    return inner(scatter, B, patterns, of_row, weight, cells)


def _by_precision(scatter, B, patterns, of_row, weight, cells):
    """Patterns with equally many missing cells are solved together."""
    P, full = scatter.precision, B.copy()
    towards = B @ P
    pivots, spreads = np.ones((2, len(patterns) if cells else 0, len(P)))
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
            if cells:
                pivots[batch], spreads[batch] = _cells_of(scatter, patterns[batch], m, inverse)
            sizes = ends[batch + 1] - ends[batch]
            which = np.repeat(np.arange(len(batch)), sizes)
            rows = np.concatenate([rows_of[ends[one] : ends[one + 1]] for one in batch])
            at = m[which]
            found = np.einsum("rmk,rk->rm", inverse[which], np.take_along_axis(towards[rows], at, 1))
            full[rows[:, None], at] = -found
            if spread is not None and weight is not None:
                heavy = np.bincount(which, weight[rows], len(batch))
                np.add.at(spread, (m[:, :, None], m[:, None, :]), heavy[:, None, None] * inverse)
    return full, pivots[of_row] if cells else None, spreads[of_row] if cells else None, spread


def _cells_of(scatter, there, m, inverse):
    """Pivots and spreads of cells for some patterns, whose missing columns are m, shape (patterns, count)."""
    P, Q = scatter.precision, scatter.between
    across = P[m]  # (patterns, missing, d)
    weights = inverse @ across
    pivots = scatter.pivots - np.einsum("pmd,pmd->pd", across, weights)
    pivots = np.where(there, np.maximum(pivots, 1 / scatter.variances), 1.0)
    inner = Q[m[:, :, None], m[:, None, :]] @ weights - 2 * Q[m]
    spreads = spreads_of(pivots, np.diag(Q) + np.einsum("pmd,pmd->pd", inner, weights))
    own = np.einsum("pmm->pm", inverse)
    shrunk = np.einsum("pmd,d,pmd->pm", weights, scatter.ridge, weights)
    spreads[np.arange(len(m))[:, None], m] = np.sqrt(np.maximum(own - shrunk, OWN * own))
    return pivots, spreads


def _by_factor(scatter, B, patterns, of_row, weight, cells):
    M, t = scatter.factor, scatter.ridge
    full, pivots, spreads = B.copy(), np.ones_like(B), np.ones_like(B)
    spread = None if weight is None else np.zeros(len(t))
    scores = B @ M.T
    for one, there in enumerate(patterns):
        rows, m = np.flatnonzero(of_row == one), ~there
        Q = np.eye(len(M)) - (M[:, m] * t[m]) @ M[:, m].T
        lower = np.linalg.cholesky(Q)
        V = solve_triangular(lower, M, lower=True)
        u = np.linalg.solve(Q, scores[rows].T).T
        full[np.ix_(rows, m)] = t[m] * (u @ M[:, m])
        if cells:
            pivots[rows], spreads[rows] = _cells_by_factor(V, t, there)
        if spread is not None and weight is not None:
            spread[m] += weight[rows].sum() * t[m] * (1 + t[m] * (V[:, m] ** 2).sum(0))
    return full, pivots, spreads, spread


def _cells_by_factor(V, t, there):
    squares, Vo = np.einsum("ij,ij->j", V, V), V[:, there]
    pivots = np.where(there, 1 / t - squares, 1.0)
    between = 1 / t - 2 * squares + np.einsum("ij,ij->j", V, ((Vo * t[there]) @ Vo.T) @ V)
    own = t * (1 + t * squares)
    alone = np.sqrt(np.maximum(own - t, OWN * own))
    return pivots, np.where(there, spreads_of(pivots, between), alone)


def _approximately(scatter, B, patterns, of_row, weight, cells):
    """Conjugate gradients for P_mm b_m = -P_mo b_o; pivots between those of a complete and of a lone cell."""
    there = patterns[of_row]
    full = B + _gradients(scatter, np.where(there, 0.0, -scatter.times(B)), ~there)
    share = there.mean(1, keepdims=True)
    pivots = scatter.pivots**share * (1 / scatter.variances) ** (1 - share)
    alone = np.sqrt(np.maximum(scatter.variances - scatter.ridge, 0.0)) + 1e-12
    spread = None if weight is None else weight @ np.where(there, 0.0, 1 / pivots)
    return full, np.where(there, pivots, 1.0), scatter.spreads**share * alone ** (1 - share), spread


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
