"""GoDec (Zhou and Tao 2011) in its semi-soft form: low rank + sparse + noise.

    min ||X - L - S||_F^2 / 2 + threshold ||S||_1   subject to   rank(L) <= K

by blocks: S = soft(X - L, threshold); L is X - S in a row space that one step of bilateral projections,
from the one before, brings nearer to that of its largest singular values. Neither can raise the objective.
(The form with a count of cells in place of the threshold is the problem that DRMF solves.)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from robustae.baselines.refusals import complete_rows, number_above, whole_number
from robustae.baselines.soft import SoftSplit
from robustae.estimators.robust_pca import SMALL
from robustae.penalties import soft
from robustae.stats.scales import scale_of_cells
from robustae.utils.checks import InputError

__all__ = ["Decomposition", "GoDec", "decompose"]

SEARCH = 15  # iterations in which an automatic threshold follows the residuals
DEVIATIONS = 3.0  # of the noise, that make an automatic threshold


@dataclass(frozen=True)
class Decomposition:
    """What was found.

    Attributes
    ----------
    low_rank, sparse : array, shape (n, d)
        L, and S: exactly 0 where abs(X - L) is within the threshold.
    components : array, shape (K, d)
        Orthonormal basis of the row space of L.
    threshold : float
    history : list of float
        The objective by iteration, from where the threshold is fixed: it never rises.
    """

    low_rank: np.ndarray
    sparse: np.ndarray
    components: np.ndarray
    threshold: float
    history: list[float]


def decompose(
    X: np.ndarray, V: np.ndarray, threshold: float | None, tol: float = 1e-4, max_iter: int = 100
) -> Decomposition:
    """Alternate from S = 0.

    Parameters
    ----------
    X : array of float64, shape (n, d)
    V : array, shape (K, d)
        Orthonormal: where the row space begins.
    threshold : float or None
        None: three noise deviations, from the median of the absolute residuals in the first iterations.
    tol : float
        Stop when the objective falls by no more than this share of itself.
    """
    search = SEARCH if threshold is None else 0
    cut, S, history = threshold or 0.0, np.zeros_like(X), []
    for step in range(search + max_iter):
        V = _nearer(X - S, V)
        L = ((X - S) @ V.T) @ V
        R = X - L
        cut = (DEVIATIONS * scale_of_cells(R) or cut) if step < search else cut
        S = soft(R, cut)
        if step >= search:
            history.append(_objective(R, S, cut))
        if len(history) > 1 and history[-2] - history[-1] <= tol * history[-2]:
            break
    return Decomposition(L, S, V, cut, history)


def _nearer(Z: np.ndarray, V: np.ndarray) -> np.ndarray:
    """One power step: the least squares fit of a row space to the codes ZV'."""
    return np.linalg.qr(Z.T @ (Z @ V.T))[0].T


def _objective(R: np.ndarray, S: np.ndarray, threshold: float) -> float:
    return float(np.square(R - S).sum() / 2 + threshold * np.abs(S).sum())


class GoDec(SoftSplit):
    """Go decomposition, with a soft threshold on the sparse part (SSGoDec).

    Fits min ||X - L - S||_F^2 / 2 + threshold ||S||_1 subject to rank(L) <= K. X is taken as it is,
    without a centre. It treats every row, seen or unseen, by the same rule: the fitted row space is
    held, and the row's own convex problem solved; on training rows that is the answer of the fit, to
    its tolerance. A row's energy is its squared residual ||x - l||^2, outlying part included.

    Parameters
    ----------
    rank : int
        Most of L; its authors' programs take 1 for video.
    threshold : "auto" or float
        Within it a residual is noise, in units of X; beyond, outlying. "auto" is three noise deviations.
    tol : float
        Stop when the objective falls by no more than this share of itself.
    max_iter : int
    random_state : int or None
        Of the row space that the iteration begins with.

    Attributes
    ----------
    low_rank_, sparse_ : array, shape (n, d)
        L and S of the training rows.
    components_ : array, shape (K, d)
        Orthonormal basis of L's row space.
    threshold_ : float
    history_ : list of float
        The objective by iteration, which never rises.
    n_iter_, n_features_in_ : int

    References
    ----------
    Zhou and Tao (2011), GoDec: randomized low-rank and sparse matrix decomposition in noisy case, ICML.
    """

    ridge_ = 0.0

    def __init__(
        self,
        *,
        rank: int = 1,
        threshold: Any = "auto",
        tol: float = 1e-4,
        max_iter: int = 100,
        random_state: int | None = 0,
    ) -> None:
        self.rank = rank
        self.threshold = threshold
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "GoDec":
        """Decompose X, shape (n, d), or images, shape (n, height, width[, channels]).

        Raises
        ------
        InputError
            If a parameter cannot be used or a cell is missing (NaN).
        """
        self._check_parameters()
        X = complete_rows(self, X, reset=True)
        start = np.random.default_rng(self.random_state).normal(size=(X.shape[1], min(self.rank, *X.shape)))
        cut = None if self.threshold == "auto" else float(self.threshold)
        with threadpool_limits(1 if min(X.shape) <= SMALL else None):
            result = decompose(X, np.linalg.qr(start)[0].T, cut, self.tol, self.max_iter)
        self.low_rank_, self.sparse_, self.components_ = result.low_rank, result.sparse, result.components
        self.threshold_, self.history_, self.n_iter_ = result.threshold, result.history, len(result.history)
        return self

    def _check_parameters(self) -> None:
        whole_number("rank", self.rank)
        whole_number("max_iter", self.max_iter)
        number_above("tol", self.tol, 0)
        if isinstance(self.threshold, str) and self.threshold != "auto":
            raise InputError(f"threshold={self.threshold!r} must be 'auto' or a number above 0.")
        if self.threshold != "auto":
            number_above("threshold", self.threshold, 0)
