"""The usual methods, each with `fit(X)` and `score_samples(X)` (higher = more normal), for comparison."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from robustae.estimators.robust_pca import RobustPCA
from robustae.utils.checks import InputError

__all__ = ["ReconstructionPCA", "comparison_methods"]


class ReconstructionPCA(BaseEstimator):
    """Score rows by the squared error of their reconstruction from a few components.

    Parameters
    ----------
    rank : float in (0, 1) or int
        Share of the squared singular values to be explained, or the number of components.
    center : bool
        True: principal components about the mean. False: truncated singular value decomposition.
    """

    def __init__(self, *, rank: float = 0.95, center: bool = True) -> None:
        self.rank = rank
        self.center = center

    def fit(self, X: Any, y: Any = None) -> "ReconstructionPCA":
        """Find mean and components of X, shape (n, d); missing cells (NaN) count as the column's mean."""
        X = np.asarray(X, dtype=np.float64)
        observed = ~np.isnan(X)
        self.fill_ = np.where(observed, X, 0.0).sum(axis=0) / np.maximum(observed.sum(axis=0), 1)
        self.mean_ = self.fill_ if self.center else np.zeros(X.shape[1])
        self.components_ = _components(self._centred(X), self.rank)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the squared residual over the observed cells, times d / observed; shape (n,)."""
        X = np.asarray(X, dtype=np.float64)
        Z = self._centred(X)
        R = np.where(np.isnan(X), 0.0, Z - Z @ self.components_.T @ self.components_)
        return -(R * R).sum(axis=1) / np.maximum(1 - np.isnan(X).mean(axis=1), 1 / X.shape[1])

    def _centred(self, X: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(X), self.fill_, X) - self.mean_


def _components(Z: np.ndarray, rank: float) -> np.ndarray:
    """Leading right singular vectors, shape (r, d), through the smaller Gram matrix."""
    wide = Z.shape[1] > Z.shape[0]
    values, vectors = np.linalg.eigh(Z @ Z.T if wide else Z.T @ Z)
    leading = vectors[:, ::-1][:, : number_of_components(np.maximum(values[::-1], 0.0), rank)]
    return np.linalg.qr(Z.T @ leading)[0].T if wide else leading.T


def number_of_components(squares: np.ndarray, rank: float) -> int:
    """Least number whose `squares`, largest first, hold the share `rank`; or `rank`, if it is a number."""
    if isinstance(rank, (int, np.integer)) and not isinstance(rank, bool) and rank >= 1:
        return min(int(rank), len(squares))
    if not (isinstance(rank, float) and 0 < rank < 1):
        raise InputError(f"rank={rank!r} must be a share between 0 and 1 or a whole number of components.")
    explained = np.cumsum(squares) / max(squares.sum(), np.finfo(float).tiny)
    return min(int(np.searchsorted(explained, rank)) + 1, len(squares))


def comparison_methods(
    random_state: Any = 0, *, scale_columns: bool = True, rank: float = 0.95
) -> dict[str, Callable[[], Any]]:
    """Return name -> factory of an unfitted method; all accept missing cells (NaN).

    Parameters
    ----------
    random_state : int or None
        Of the isolation forest, the only random one.
    scale_columns : bool
        Whether the others see columns of mean 0 and deviation 1: True for tables, False for
        images and video, whose cells share their unit.
    rank : float in (0, 1) or int
        Of PCA and TSVD, as in `ReconstructionPCA`.

    Examples
    --------
    >>> from robustae.baselines import comparison_methods
    >>> sorted(comparison_methods())
    ['PCA', 'RPCA', 'TSVD', 'isolation forest']
    """
    scaled = _scaled if scale_columns else (lambda method: method)
    return {
        "PCA": lambda: scaled(ReconstructionPCA(rank=rank)),
        "TSVD": lambda: scaled(ReconstructionPCA(rank=rank, center=False)),
        "RPCA": lambda: scaled(RobustPCA()),
        "isolation forest": partial(_isolation_forest, random_state),
    }


def _scaled(method: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), method)


def _isolation_forest(random_state: Any) -> Any:
    from sklearn.ensemble import IsolationForest

    return IsolationForest(random_state=random_state)
