"""Rows in a subspace held fixed, and a sparse part by soft threshold: what GoDec and OR-PCA share.

    min over z and s of   ||x - zV - s||^2 / 2 + ridge ||z||^2 / 2 + threshold ||s||_1

is convex: for given s the code z is a ridge regression, for given z the best s is soft(x - zV).
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from robustae.baselines.refusals import complete_rows
from robustae.penalties import soft

__all__ = ["SoftSplit", "solve_rows"]

STEPS = 50  # of the alternation: what is left to go falls at least by the share of outlying cells each time


def solve_rows(
    X: np.ndarray, V: np.ndarray, threshold: float, ridge: float = 0.0, steps: int = STEPS
) -> tuple[np.ndarray, np.ndarray]:
    """Alternate, starting from s = 0, for each row by itself.

    Parameters
    ----------
    X : array of float64, shape (n, d)
    V : array, shape (K, d)

    Returns
    -------
    codes : array, shape (n, K)
        z.
    sparse : array, shape (n, d)
        s.
    """
    regression = np.linalg.pinv(V @ V.T + ridge * np.eye(len(V)), hermitian=True) @ V
    S = np.zeros_like(X)
    for _ in range(steps):
        Z = (X - S) @ regression.T
        S = soft(X - Z @ V, threshold)
    return Z, S


class SoftSplit(BaseEstimator):
    """What both do with any row, seen or unseen, once `components_`, `threshold_` and `ridge_` are found."""

    components_: np.ndarray
    threshold_: float
    ridge_: float

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus each row's squared residual ||x - l||^2: higher = more normal; shape (n,)."""
        return -np.square(complete_rows(self, X) - self._parts(X)[0]).sum(axis=1)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return L, in X's shape."""
        return self.split(X)[0]

    def outliers(self, X: Any) -> np.ndarray:
        """Return S, exactly 0 where a cell is inlying, in X's shape."""
        return self.split(X)[1]

    def split(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return (reconstruct(X), outliers(X)); what they leave of X is noise."""
        L, S = self._parts(X)
        return L.reshape(np.shape(X)), S.reshape(np.shape(X))

    def _parts(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        codes, S = solve_rows(complete_rows(self, X), self.components_, self.threshold_, self.ridge_)
        return codes @ self.components_, S
