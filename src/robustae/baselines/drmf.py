"""Direct robust matrix factorisation (Xiong, Chen and Schneider 2011): counts, not norms.

    min ||X - L - S||_F   subject to   rank(L) <= K,   S nonzero in at most e cells (or rows)

Descent by blocks, each step exact: S is the e largest cells (rows) of X - L, L the truncated SVD of
X - S. By rows L is found together with S's values: outlying rows drop out, and L there is the
projection, which leaves S least. No step can raise the objective.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from robustae.baselines.compare import number_of_components
from robustae.baselines.refusals import number_above, whole_number
from robustae.baselines.training_rows import TrainingRows
from robustae.data.rows import NumberRows, read_rows
from robustae.estimators.robust_pca import SMALL
from robustae.solvers.pursuit import pursue
from robustae.utils.checks import InputError, one_of

__all__ = ["DRMF", "Factorisation", "factorise"]

START_ITERATIONS = 20  # of the pursuit
EXACT = 1500  # a smaller side up to this goes through its Gram matrix, a larger one by power steps
STEPS = 30  # of a row that was not in the fit


@dataclass(frozen=True)
class Factorisation:
    """What was found.

    Attributes
    ----------
    low_rank, sparse : array, shape (n, d)
        L, and S: X - L in the e cells (rows), exactly 0 elsewhere and where a cell is missing.
    components : array, shape (K, d)
        Orthonormal basis of the row space of L.
    history : list of float
        ||X - L - S||_F over the observed cells, by iteration: it never rises.
    cutoff : float
        The least abs(S) of the cells (norm of the rows) in S; inf where there are none.
    """

    low_rank: np.ndarray
    sparse: np.ndarray
    components: np.ndarray
    history: list[float]
    cutoff: float


def factorise(
    X: np.ndarray,
    L: np.ndarray,
    rank: int,
    e: int,
    rows: bool = False,
    tol: float = 1e-4,
    max_iter: int = 100,
) -> Factorisation:
    """Alternate, starting from L.

    Parameters
    ----------
    X : array of float64, shape (n, d)
        NaN for missing: left out of the sum and of S, and filled by L.
    L : array, shape (n, d)
        Of no higher rank than `rank`.
    rank, e : int
        Most of L, and most nonzero cells (`rows`: rows) of S.
    tol : float
        Stop when the objective falls by no more than this share of itself.
    """
    V, history = None, []
    while True:
        R = np.nan_to_num(X - L)
        out, cutoff = _largest(R, e, rows)
        history.append(float(np.linalg.norm(R[~out])))
        converged = len(history) > 1 and history[-2] - history[-1] <= tol * history[-2]
        if V is not None and (converged or len(history) > max_iter):
            return Factorisation(L, np.where(out, R, 0.0), V, history, cutoff)
        Z = np.where(np.isnan(X) | (out & (not rows)), L, X)
        V = _row_space(np.where(out, 0.0, Z) if rows else Z, rank, V)
        L = (Z @ V.T) @ V


def _largest(R: np.ndarray, e: int, rows: bool) -> tuple[np.ndarray, float]:
    """Which e cells (those of the e rows) of R are largest, shape (n, d), and the least of their sizes."""
    sizes = np.linalg.norm(R, axis=1) if rows else np.abs(R).ravel()
    out = np.zeros(sizes.shape, dtype=bool)
    worst = np.argpartition(-sizes, min(e, len(sizes) - 1))[:e]
    out[worst] = True
    out = np.broadcast_to(out[:, None], R.shape) if rows else out.reshape(R.shape)
    return out, float(sizes[worst].min(initial=np.inf))


def _row_space(Z: np.ndarray, rank: int, V: np.ndarray | None) -> np.ndarray:
    """Leading right singular vectors, shape (rank, d); by two power steps from V if Z is large.

    A power step is a least squares fit of the loadings to the codes ZV', so it cannot raise
    ||Z - ZV'V|| either.
    """
    n, d = Z.shape
    if V is not None and min(n, d) > EXACT:
        return _orthonormal(_power(Z, _power(Z, V)))
    wide = d > n
    gram = Z @ Z.T if wide else Z.T @ Z
    k = len(gram)
    leading = eigh(gram, subset_by_index=[k - rank, k - 1])[1].T[::-1]
    return _orthonormal(leading @ Z) if wide else leading


def _power(Z: np.ndarray, V: np.ndarray) -> np.ndarray:
    return _orthonormal((Z @ V.T).T @ Z)


def _orthonormal(rows: np.ndarray) -> np.ndarray:
    return np.linalg.qr(rows.T)[0].T


def continued(X: np.ndarray, components: np.ndarray, cutoff: float, rows: bool = False) -> np.ndarray:
    """L of rows that were not in the fit, each by itself, in the fitted row space.

    The alternation of the fit with V held and its cutoff in place of the count: a cell is in S while
    its residual exceeds the cutoff. For rows in which much is wrong the cutoff comes down from the
    largest residual, halving. (By rows there is nothing to alternate: L is the projection.)
    """
    hole = np.isnan(X)
    L = np.where(hole, 0.0, X) @ components.T @ components
    if not hole.any() and (rows or not np.isfinite(cutoff)):
        return L
    limit = np.full((len(X), 1), np.inf) if rows else np.nanmax(np.abs(X - L), axis=1, keepdims=True)
    for _ in range(STEPS):
        limit = np.maximum(limit / 2, cutoff)
        Z = np.where(hole | (np.abs(X - L) > limit), L, X)
        L = Z @ components.T @ components
    return L


def _start(X: np.ndarray, rank: float) -> tuple[np.ndarray, int]:
    """The low-rank part of a robust PCA cut short, cut to the rank wanted; and that rank."""
    start = pursue(X, 1 / np.sqrt(max(X.shape)), max_iter=START_ITERATIONS)
    squares = np.zeros(min(X.shape))
    squares[: len(start.singular_values)] = start.singular_values**2
    rank = number_of_components(squares, rank)
    V = start.components[:rank]
    return start.low_rank @ V.T @ V, rank


class DRMF(BaseEstimator):
    """Direct robust matrix factorisation, by cells or by rows (DRMF-R).

    Fits min ||X - L - S||_F subject to rank(L) <= K and at most e cells (rows) of S not 0. X is taken
    as it is, without a centre: scale columns of different units first. The factorisation starts at
    the low-rank part of a robust PCA cut short, as its authors' program does.

    It is transductive. A row that equals a training row gets the answer of the fit. Any other row
    gets an extension that is not the paper's: projection on the fitted row space, by the same
    alternation for that row alone, cells leaving above the fit's cutoff.

    A row's energy is its squared residual ||x - l||^2, outlying part included (the norm of S would tie
    the rows without any), times d / observed cells.

    Parameters
    ----------
    rank : float in (0, 1) or int
        Number of components K, or the share of the energy (squared singular values) of the robust
        start that they hold. The default is that of the authors' program: the start is already
        robust, and S takes only the share it is given.
    share : float in [0, 0.5]
        e as a share of the cells (rows): the most that may be outlying. The default is that of
        their program, too.
    kind : "cells" or "rows"
    tol : float
        Stop when the objective falls by no more than this share of itself.
    max_iter : int

    Attributes
    ----------
    low_rank_, sparse_ : array, shape (n, d)
        L and S of the training rows.
    components_ : array, shape (rank_, d)
        Orthonormal basis of L's row space.
    rank_ : int
    cutoff_ : float
        The least abs(S) (row norm) that is not 0.
    history_ : list of float
        ||X - L - S||_F by iteration, which never rises.
    n_iter_, n_features_in_ : int

    References
    ----------
    Xiong, Chen and Schneider (2011), Direct robust matrix factorization for anomaly detection, ICDM.
    """

    def __init__(
        self,
        *,
        rank: float = 0.999,
        share: float = 0.1,
        kind: str = "cells",
        tol: float = 1e-4,
        max_iter: int = 100,
    ) -> None:
        self.rank = rank
        self.share = share
        self.kind = kind
        self.tol = tol
        self.max_iter = max_iter

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> "DRMF":
        """Factorise X, shape (n, d), or images, shape (n, height, width[, channels]); NaN for missing.

        Raises
        ------
        InputError
            If a parameter cannot be used or a row has no observed cell.
        """
        self._check_parameters()
        X = self._read(X, reset=True)[1]
        rows = self.kind == "rows"
        e = round(self.share * (len(X) if rows else (~np.isnan(X)).sum()))
        with threadpool_limits(1 if min(X.shape) <= SMALL else None):
            L, self.rank_ = _start(X, self.rank)
            result = factorise(X, L, self.rank_, e, rows, self.tol, self.max_iter)
        self.low_rank_, self.sparse_, self.components_ = result.low_rank, result.sparse, result.components
        self.cutoff_, self.history_, self.n_iter_ = result.cutoff, result.history, len(result.history) - 1
        self._known = TrainingRows(X)
        return self

    def _check_parameters(self) -> None:
        one_of("kind", self.kind, ("cells", "rows"))
        number_above("tol", self.tol, 0)
        whole_number("max_iter", self.max_iter)
        share = self.share
        if isinstance(share, bool) or not isinstance(share, (int, float, np.number)) or not 0 <= share <= 0.5:
            raise InputError(f"share={share!r} must be a share in [0, 0.5].")

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus each row's energy: higher = more normal; shape (n,)."""
        check_is_fitted(self)
        X = self._read(X)[1]
        R = np.nan_to_num(X - self._low_rank(X))
        return -(R * R).sum(axis=1) / (1 - np.isnan(X).mean(axis=1))

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return L, missing cells filled, in X's shape."""
        return self.split(X)[0]

    def outliers(self, X: Any) -> np.ndarray:
        """Return S, exactly 0 where a cell is inlying or missing, in X's shape."""
        return self.split(X)[1]

    def split(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return (reconstruct(X), outliers(X)); what they leave of X is noise."""
        check_is_fitted(self)
        rows, X = self._read(X)
        L = self._low_rank(X)
        return rows.like(L), rows.like(self._sparse(X, np.nan_to_num(X - L)))

    def _read(self, X: Any, reset: bool = False) -> tuple[NumberRows, np.ndarray]:
        rows = read_rows(self, X, None, reset)
        return rows, np.ascontiguousarray(rows.values, dtype=np.float64)

    def _low_rank(self, X: np.ndarray) -> np.ndarray:
        at = self._known.find(X)
        L, unseen = self.low_rank_[at], at < 0
        if unseen.any():
            L[unseen] = continued(X[unseen], self.components_, self.cutoff_, self.kind == "rows")
        return L

    def _sparse(self, X: np.ndarray, R: np.ndarray) -> np.ndarray:
        at = self._known.find(X)[:, None]
        sizes = np.linalg.norm(R, axis=1, keepdims=True) if self.kind == "rows" else np.abs(R)
        return np.where(at < 0, np.where(sizes > self.cutoff_, R, 0.0), self.sparse_[at[:, 0]])
