"""Robust PCA as a scikit-learn outlier detector."""

import hashlib
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from robustae.data.rows import NumberRows, read_rows
from robustae.solvers.pursuit import Pursuit, extend, pursue
from robustae.stats.thresholds import offset, valid_contamination
from robustae.utils.checks import InputError, known_names

__all__ = ["RobustPCA"]

BLOCK_CELLS = 2**20  # cells split at a time: a few copies of them exist at once

SMALL = 500  # a side up to which one thread is as fast


class RobustPCA(OutlierMixin, BaseEstimator):
    """Principal component pursuit, the convex ancestor of the robust autoencoder.

    Fits min ||L||_* + lam ||S||_1 subject to L + S = X over the observed cells, by the inexact
    augmented Lagrangian. X is taken as it is: scale columns of different units first.

    The pursuit knows the training rows only. `reconstruct`, `outliers` and the scores treat every
    row, seen or unseen, by the same rule: the fitted row space of L is held, and the row's own
    convex problem solved, min over z of ||z||^2 / 2 + lam ||x - Bz||_1 with B = V sqrt(Sigma). On
    training rows its answer is that of the pursuit (to about 1e-3 of L). A row's energy is its
    squared residual, ||S||^2, times d / observed cells where some are missing.

    Parameters
    ----------
    lam : "auto" or float
        Weight of the l1 norm. "auto" is 1 / sqrt(max(n, d)), Candes et al. (2011); where cells are
        missing, max(n, d) is multiplied by the share observed (their theorem 1.2). From 1 upwards
        S is 0.
    max_iter : int
    tol : float
        Stop when ||X - L - S||_F falls below tol ||X||_F.
    contamination : "auto" or float in [0, 0.5]
        Share of the training rows that `predict` calls anomalous; "auto" finds a threshold
        without knowing it.
    rho : float
        Growth of the penalty parameter mu per iteration. Nearer to 1 ends nearer to the minimum,
        later (see `gap_`); 1.5 is the customary value.

    Attributes
    ----------
    low_rank_, sparse_ : array, shape (n, d)
        L and S of the training rows.
    components_ : array, shape (rank_, d)
        Orthonormal basis of L's row space.
    singular_values_ : array, shape (rank_,)
        Of L, largest first.
    rank_ : int
    lam_ : float
    offset_ : float
        `predict` calls rows anomalous whose score lies below it; may be set.
    objective_ : float
        ||L||_* + lam ||X - L||_1.
    gap_ : float
        Certified: the minimum lies above objective_ (1 - gap_).
    n_iter_ : int
    history_ : list of float
        Relative residual by iteration.
    status_ : str
        Whether and how the iteration ended.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X had column names.

    References
    ----------
    Candes, Li, Ma and Wright (2011), Robust principal component analysis?, J. ACM 58.
    Lin, Chen and Ma (2010), The augmented Lagrange multiplier method for exact recovery of
    corrupted low-rank matrices, arXiv:1009.5055.
    """

    def __init__(
        self,
        *,
        lam: Any = "auto",
        max_iter: int = 500,
        tol: float = 1e-7,
        contamination: Any = "auto",
        rho: float = 1.2,
    ) -> None:
        self.lam = lam
        self.max_iter = max_iter
        self.tol = tol
        self.contamination = contamination
        self.rho = rho

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def set_params(self, **params: Any) -> "RobustPCA":
        """Set parameters by name; an unknown one is answered with the nearest known."""
        known_names("parameter", params, self.get_params())
        return super().set_params(**params)

    def fit(self, X: Any, y: Any = None) -> "RobustPCA":
        """Split the training rows into low rank and sparse, and learn what later rows need.

        Parameters
        ----------
        X : array-like or DataFrame, shape (n, d), or images, shape (n, height, width[, channels])
            NaN for missing.
        y : ignored

        Raises
        ------
        InputError
            If a parameter cannot be used or a row has no observed cell.
        """
        self._fit(X)
        return self

    def fit_predict(self, X: Any, y: Any = None, **kwargs: Any) -> np.ndarray:
        """Fit, and return -1 for the training rows called anomalous, else 1; shape (n,)."""
        return self._labels(self._fit(X))

    def _fit(self, X: Any) -> np.ndarray:
        """Fit, and return the scores of the training rows."""
        self._check_parameters()
        _, X = self._read(X, reset=True)
        observed = 1 - np.isnan(X).mean()
        self.lam_ = float(1 / np.sqrt(max(X.shape) * observed) if isinstance(self.lam, str) else self.lam)
        # Threads that wait for each other beside a busy process made small fits far slower.
        with threadpool_limits(1 if min(X.shape) <= SMALL else None):
            self._digest_of_fit = _digest(X)
            self._keep(pursue(X, self.lam_, self.tol, self.max_iter, self.rho))
            scores = self._scores(X)
        self.offset_ = offset(-scores, self.contamination)
        return scores

    def _check_parameters(self) -> None:
        valid_contamination(self.contamination)
        if self.lam != "auto" and not _above(self.lam, 0):
            raise InputError(f"lam={self.lam!r} must be 'auto' or a positive number.")
        if not _above(self.tol, 0):
            raise InputError(f"tol={self.tol!r} must be a positive number.")
        if not _above(self.rho, 1):
            raise InputError(f"rho={self.rho!r} must be a number above 1.")
        if not _above(self.max_iter, 0) or self.max_iter != int(self.max_iter):
            raise InputError(f"max_iter={self.max_iter!r} must be a whole number, at least 1.")

    def _keep(self, result: Pursuit) -> None:
        self.low_rank_, self.sparse_ = result.low_rank, result.sparse
        self.components_, self.singular_values_ = result.components, result.singular_values
        self.rank_ = len(result.singular_values)
        self.objective_, self.gap_ = result.objective, result.gap
        self.n_iter_, self.history_ = len(result.history), result.history
        self._first_mu = result.mu
        self.status_ = _status(result, self.tol)
        if not result.converged:
            warnings.warn(f"RobustPCA {self.status_}", ConvergenceWarning, stacklevel=4)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus each row's energy, its squared residual: higher = more normal; shape (n,)."""
        check_is_fitted(self)
        return self._scores(self._read(X)[1])

    def decision_function(self, X: Any) -> np.ndarray:
        """Return score_samples - offset_: negative = anomalous; shape (n,)."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return -1 for the rows called anomalous, else 1; shape (n,)."""
        return self._labels(self.score_samples(X))

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return each row's part in the fitted row space, missing cells filled, in X's shape."""
        return self.split(X)[0]

    def outliers(self, X: Any) -> np.ndarray:
        """Return S, sparse, 0 where a cell is missing, in X's shape."""
        return self.split(X)[1]

    def split(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return (reconstruct(X), outliers(X)); they add up to X, to about 1e-4 of it.

        The training rows, as they were fitted, get the fit's own answer.
        """
        check_is_fitted(self)
        rows, X = self._read(X)
        if _digest(X) == self._digest_of_fit:
            return rows.like(self.low_rank_.copy()), rows.like(self.sparse_.copy())
        L, S = np.empty_like(X), np.empty_like(X)
        for block in _blocks(X):
            L[block], S[block] = self._extend(X[block])
        return rows.like(L), rows.like(S)

    def _read(self, X: Any, reset: bool = False) -> tuple[NumberRows, np.ndarray]:
        rows = read_rows(self, X, None, reset)
        cells = np.ascontiguousarray(rows.values, dtype=np.float64)
        return rows, cells

    def _extend(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return extend(X, self.components_, self.singular_values_, self.lam_, self._first_mu)

    def _scores(self, X: np.ndarray) -> np.ndarray:
        # Products round differently beside other rows: a row on the threshold must stay there.
        return -_rounded(np.concatenate([_energy(X[rows], self._extend(X[rows])[1]) for rows in _blocks(X)]))

    def _labels(self, scores: np.ndarray) -> np.ndarray:
        return np.where(scores - self.offset_ < 0, -1, 1)


def _status(result: Pursuit, tol: float) -> str:
    end = "converged after" if result.converged else f"stopped, not within tol={tol:g}, at max_iter ="
    residual = f"||X - L - S|| is {result.history[-1]:.1e} of ||X||"
    return (
        f"{end} {len(result.history)} iterations: {residual}, the objective {result.gap:.2%} from the least."
    )


def _above(value: Any, bound: float) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(value > bound)


def _blocks(X: np.ndarray) -> list[slice]:
    step = max(1, BLOCK_CELLS // X.shape[1])
    return [slice(start, start + step) for start in range(0, len(X), step)]


def _digest(X: np.ndarray) -> bytes:
    return hashlib.blake2b(X.view(np.uint8).data, digest_size=16).digest()


def _energy(X: np.ndarray, S: np.ndarray) -> np.ndarray:
    return (S * S).sum(axis=1) / (1 - np.isnan(X).mean(axis=1))


def _rounded(values: np.ndarray, digits: int = 11) -> np.ndarray:
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa, digits), exponent)
